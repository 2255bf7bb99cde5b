"""What the names of a Python file stand for: modules, clients of libraries, texts.

Names are looked up in their function, then in its class (for `self.x`), then at the top of the
file. Order of execution is not followed: a name that is a client anywhere in its scope is one.
"""

import ast
from collections import deque
from collections.abc import Iterator

import msgspec

from stepdown.scan.libraries import CLIENTS, LANGCHAIN_MODELS, MODULE_CLIENTS, SAME, WRAPPERS

__all__ = ["Bound", "Names", "Scope", "bind", "own_nodes"]

_DEEPEST = 30


class Bound(msgspec.Struct, frozen=True):
    """A client: whose it is, and the call that made it, which may name model and prompt."""

    library: str
    made: tuple[ast.Call, ...] = ()


class Scope:
    """The names of one function, class or file."""

    def __init__(self, name: str, outer: "Scope | None", is_class: bool = False) -> None:
        self.name = name
        self.outer = outer
        self.is_class = is_class
        self.clients: dict[str, Bound] = {}
        self.values: dict[str, ast.expr] = {}

    def client(self, name: str) -> Bound | None:
        """Return the client of that (dotted) name, seen from here."""
        return next((s.clients[name] for s in self._outwards(name) if name in s.clients), None)

    def value(self, name: str) -> ast.expr | None:
        """Return what the name was set to last, seen from here."""
        return next((s.values[name] for s in self._outwards(name) if name in s.values), None)

    def holder(self, name: str) -> "Scope":
        """Return the scope that an assignment to the name belongs to: `self.x` is the class's."""
        if name.startswith(("self.", "cls.")):
            scope: Scope | None = self
            while scope is not None:
                if scope.is_class:
                    return scope
                scope = scope.outer
        return self

    def _outwards(self, name: str) -> Iterator["Scope"]:
        scope: Scope | None = self
        while scope is not None:
            # A class's own names are seen from inside its methods through `self` alone.
            if scope is self or not scope.is_class or name.startswith(("self.", "cls.")):
                yield scope
            scope = scope.outer


class Names:
    """A file's imports, and the scope of each of its functions and classes."""

    def __init__(self, tree: ast.Module) -> None:
        self.imports = _imports(tree)
        self.top = Scope("", None)
        self.scopes: dict[ast.AST, Scope] = {tree: self.top}

    def full(self, name: str) -> str:
        """Return a dotted name with its first part as it was imported."""
        first, dot, rest = name.partition(".")
        return f"{self.imports.get(first, first)}{dot}{rest}"

    def client(self, node: ast.expr, scope: Scope, depth: int = 0) -> Bound | None:
        """Return the client that an expression is."""
        if depth > _DEEPEST:
            return None
        match node:
            case ast.Await(value=inner) | ast.NamedExpr(value=inner):
                return self.client(inner, scope, depth + 1)
            case ast.Name() | ast.Attribute():
                name = ast.unparse(node)
                module = MODULE_CLIENTS.get(self.full(name))
                return scope.client(name) or (Bound(module) if module else None)
            case ast.Call():
                return self._made(node, scope, depth)
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                return self._piped((left, right), scope, depth)
            case ast.BoolOp(values=options):
                return self._first(options, scope, depth)
            case ast.IfExp(body=body, orelse=other):
                return self._first((body, other), scope, depth)
            case _:
                return None

    def library_of(self, annotation: ast.expr | None) -> str | None:
        """Return whose client a name with this annotation is."""
        if annotation is None:
            return None
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            names = [annotation.value]
        else:
            found = (n for n in ast.walk(annotation) if isinstance(n, ast.Name | ast.Attribute))
            names = [ast.unparse(node) for node in found]
        return next((known for name in names if (known := self._library(name))), None)

    def _library(self, name: str) -> str | None:
        full = self.full(name)
        package, _, last = full.rpartition(".")
        if package.startswith(("langchain", "langgraph")):
            return "langchain" if last in LANGCHAIN_MODELS else None
        return CLIENTS.get(full) or WRAPPERS.get(full)

    def _made(self, node: ast.Call, scope: Scope, depth: int) -> Bound | None:
        name = ast.unparse(node.func)
        library = self._library(name)
        if library is not None:
            inner = self._first(node.args, scope, depth) if self.full(name) in WRAPPERS else None
            return Bound(library, (node, *(inner.made if inner else ())))
        returned = scope.client(f"{name}()")
        if returned is not None:
            return returned
        if isinstance(node.func, ast.Attribute) and node.func.attr in SAME:
            same = self.client(node.func.value, scope, depth + 1)
            return same and Bound(same.library, (node, *same.made))
        return None

    def _piped(self, sides: tuple[ast.expr, ...], scope: Scope, depth: int) -> Bound | None:
        """Return LangChain's chain of a prompt, a model and a parser."""
        model = self._first(sides, scope, depth)
        if model is None or model.library != "langchain":
            return None
        prompts = tuple(
            made for side in sides if isinstance(made := self._prompt(side, scope), ast.Call)
        )
        return Bound("langchain", (*prompts, *model.made))

    def _prompt(self, node: ast.expr, scope: Scope) -> ast.expr | None:
        return scope.value(ast.unparse(node)) if isinstance(node, ast.Name) else node

    def _first(
        self, options: "list[ast.expr] | tuple[ast.expr, ...]", scope: Scope, depth: int
    ) -> Bound | None:
        found = (self.client(option, scope, depth + 1) for option in options)
        return next((one for one in found if one is not None), None)


def bind(tree: ast.Module) -> Names:
    """Return the names of a file; two passes, since a client may be used above where it is made."""
    names = Names(tree)
    _Scopes(names, names.top).visit(tree)
    for _ in range(2):
        for node, scope in list(names.scopes.items()):
            for child in own_nodes(node):
                _assign(names, child, scope)
    return names


class _Scopes(ast.NodeVisitor):
    """Makes a scope for each function and class."""

    def __init__(self, names: Names, scope: Scope) -> None:
        self._names = names
        self._scope = scope

    def _enter(self, node: "ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef") -> None:
        qualified = f"{self._scope.name}.{node.name}" if self._scope.name else node.name
        inner = Scope(qualified, self._scope, isinstance(node, ast.ClassDef))
        self._names.scopes[node] = inner
        outer, self._scope = self._scope, inner
        self.generic_visit(node)
        self._scope = outer

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Enter a function."""
        self._enter(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """Enter a coroutine."""
        self._enter(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Enter a class."""
        self._enter(node)


_INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all that is in a scope and in no scope inside it."""
    waiting = deque(ast.iter_child_nodes(node))
    while waiting:
        child = waiting.popleft()
        yield child
        if not isinstance(child, _INNER):
            waiting.extend(ast.iter_child_nodes(child))


def _assign(names: Names, node: ast.AST, scope: Scope) -> None:
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                _set(names, target, value, scope)
        case ast.AnnAssign(target=target, annotation=annotation, value=value):
            library = names.library_of(annotation)
            if library is not None:
                name = ast.unparse(target)
                # A field of a class is reached as self.x.
                scope.clients[f"self.{name}" if scope.is_class else name] = Bound(library)
            if value is not None:
                _set(names, target, value, scope)
        case ast.NamedExpr(target=target, value=value):
            _set(names, target, value, scope)
        case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
            _set(names, target, value, scope)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            _define(names, node, scope)
        case _:
            pass


def _set(names: Names, target: ast.expr, value: ast.expr, scope: Scope) -> None:
    if not isinstance(target, ast.Name | ast.Attribute):
        return
    name = ast.unparse(target)
    holder = scope.holder(f"self.{name}" if scope.is_class else name)
    key = f"self.{name}" if scope.is_class else name
    holder.values[key] = value
    client = names.client(value, scope)
    if client is not None:
        holder.clients[key] = client


def _define(names: Names, node: "ast.FunctionDef | ast.AsyncFunctionDef", scope: Scope) -> None:
    """Bind annotated parameters, and what the function returns."""
    inner = names.scopes[node]
    arguments = node.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        library = names.library_of(argument.annotation)
        if library is not None:
            inner.clients[argument.arg] = Bound(library)
    library = names.library_of(node.returns)
    made = Bound(library) if library else None
    if made is None:
        returned = [n.value for n in own_nodes(node) if isinstance(n, ast.Return) and n.value]
        made = next((c for value in returned if (c := names.client(value, inner))), None)
    if made is not None:
        scope.clients[f"self.{node.name}()" if scope.is_class else f"{node.name}()"] = made


def _imports(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                found[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found
