"""What the names of a Python file stand for: modules, clients of libraries, values.

They are followed through assignments, imports, also from other files of the code, and what
functions return. A name that is a client where any of its assignments says so is one; it has a
value where all of them agree.
"""

import ast
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice

import msgspec

from stepdown.scan.libraries import CLIENTS, LANGCHAIN_MODELS, MODULE_CLIENTS, SAME, WRAPPERS
from stepdown.scan.scopes import END, Binding, Place, Scope, dotted, mentions, place_of

__all__ = ["Bound", "Modules", "Names", "keywords_of"]

Modules = Callable[[str, str], Scope | None]
"""modules("package.module", file that imports it) → its names where it is of the code; a name that
begins with dots is relative to the file."""

_DEEPEST = 30
_UNCUT = sys.maxsize
_TRANSPARENT = frozenset(
    (
        *("Optional", "Union", "Annotated", "Final", "ClassVar", "Awaitable", "Coroutine"),
        *("Iterator", "Generator", "AsyncIterator", "AsyncGenerator"),
    )
)
"""Generic types whose arguments tell what is held: not `type[…]`, `Callable[…]`, `list[…]`."""


class Bound(msgspec.Struct, frozen=True):
    """A client: whose it is, and the calls that made it, which may name model and prompt."""

    library: str
    made: tuple[tuple[ast.Call, Scope], ...] = ()


class Names:
    """Follows names from file to file."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._clients: dict[Binding | Scope, Bound | None] = {}
        # Who is being asked and how deep inside, the first of them that ended a circle since, and
        # whose answers lack what that one will say.
        self._asked: dict[Binding | Scope, int] = {}
        self._cut = _UNCUT
        self._unsure: dict[Binding | Scope, int] = {}
        self._exports: dict[tuple[Scope, str], list[Binding]] = {}

    def full(self, node: ast.expr, scope: Scope) -> str:
        """Return a dotted name with its first part as it was imported; "" where that is no
        module's, but bound to something else."""
        return self._full(dotted(node), scope, place_of(node))

    def _full(self, name: str, scope: Scope, place: Place, depth: int = 0) -> str:
        first, dot, rest = name.partition(".")
        found = scope.bindings(first, place)
        if found is None:
            return name
        module = next((one.module for one in found if one.module), "")
        if not module:
            return ""
        full = f"{module}{dot}{rest}"
        other, last = self._other(full, scope)
        if other is None or depth > _DEEPEST or other.bindings(last, END) is None:
            return full
        handed_on = self._full(last, other, END, depth + 1)
        # A relative name says nothing outside its own file.
        return full if handed_on.startswith(".") else handed_on or full

    def _other(self, full: str, scope: Scope) -> tuple[Scope | None, str]:
        """Return the file that a full name is of, and its name there."""
        module, _, last = full.rpartition(".")
        module += "" if module.strip(".") else "." * full.startswith(".")
        return (self._modules(module, scope.file) if module else None), last

    def _found(self, name: str, scope: Scope, place: Place) -> list[Binding]:
        """Return what a dotted name may be bound to, here or in the file it is imported from."""
        bound = scope.bindings(name, place) if name else []
        holder, _, last = name.rpartition(".")
        if bound is not None or not holder:
            found: list[Binding] = []
            for one in bound or ():
                exported = self._exported(one.module, scope) if one.module else None
                found += [one] if exported is None else exported
            return found
        exported = self._exported(self._full(name, scope, place), scope)
        if exported is not None:
            return exported
        classes = (one.inner for one in self._found(holder, scope, place) if one.inner)
        return [
            one for inner in classes if inner.is_class for one in inner.bindings(last, END) or ()
        ]

    def _exported(self, full: str, scope: Scope) -> list[Binding] | None:
        """Return what a full name is bound to in its file; None where that isn't of the code."""
        other, last = self._other(full, scope)
        if other is None:
            return None
        if (other, last) not in self._exports:
            # Files may import from each other in a circle, which ends here.
            self._exports[other, last] = []
            self._exports[other, last] = self._found(last, other, END)
        return self._exports[other, last]

    def value(self, node: ast.expr, scope: Scope) -> tuple[ast.expr, Scope] | None:
        """Return what a name is set to where it is read, and where that stands; None where nobody
        can tell or it may be several things."""
        name = dotted(node)
        found = self._found(name, scope, place_of(node))
        # What is None at first is set before it is used.
        told = [one for one in found if not _is_none(one)]
        # A list that is added to in a loop or under a condition holds what it began with.
        began = [one for one in told if not mentions(one.value, name)]
        if began and all(isinstance(one.value, ast.List) for one in began):
            told = began
        return None if any(one.value is None or one.parameter for one in told) else _agreed(told)

    def path(self, node: ast.expr, scope: Scope) -> tuple[ast.expr, Scope] | None:
        """Return the other name that a name stands for, in any of its assignments."""
        found = self._found(dotted(node), scope, place_of(node))
        return _agreed([one for one in found if isinstance(one.value, ast.Name | ast.Attribute)])

    def client(self, node: ast.expr, scope: Scope, depth: int = 0) -> Bound | None:
        """Return the client that an expression is."""
        if depth > _DEEPEST:
            return None
        match node:
            case ast.Await(value=inner) | ast.NamedExpr(value=inner):
                return self.client(inner, scope, depth + 1)
            case ast.Name() | ast.Attribute():
                found = self._found(dotted(node), scope, place_of(node))
                known = _either(self._client_of(one, depth) for one in found)
                module = MODULE_CLIENTS.get(self.full(node, scope))
                return known or (Bound(module) if module else None)
            case ast.Call():
                return self._made(node, scope, depth)
            case ast.BinOp(op=ast.BitOr()):
                return self._piped(node, scope, depth)
            case ast.BoolOp(values=options):
                return _either(self.client(one, scope, depth + 1) for one in options)
            case ast.IfExp(body=body, orelse=other):
                return _either(self.client(one, scope, depth + 1) for one in (body, other))
            case _:
                return None

    def _once(self, key: Binding | Scope, find: Callable[[], Bound | None]) -> Bound | None:
        """Return what was found before, or find it.

        Names may stand for each other in a circle, which ends at the one that is asked already.
        Who was asked inside of it, and so may have missed something, is asked again later.
        """
        if key in self._asked:
            self._cut = min(self._cut, self._asked[key])
            return None
        if key in self._clients:
            self._cut = min(self._cut, self._unsure.get(key, _UNCUT))
            return self._clients[key]
        before, self._cut = self._cut, _UNCUT
        place, mark = len(self._asked), len(self._unsure)
        self._asked[key] = place
        self._clients[key] = known = find()
        del self._asked[key]
        if self._cut < place:
            self._unsure[key] = self._cut
            for one in islice(reversed(self._unsure), len(self._unsure) - mark):
                self._unsure[one] = self._cut
        else:
            self._cut = _UNCUT
            while len(self._unsure) > mark:
                one, _ = self._unsure.popitem()
                # Where nothing was found all around the circle, there is none on it.
                if known is not None and self._clients[one] is None:
                    del self._clients[one]
        self._cut = min(before, self._cut)
        return known

    def _client_of(self, one: Binding, depth: int) -> Bound | None:
        def find() -> Bound | None:
            known = None
            if one.value is not None:
                known = self.client(one.value, one.around, depth + 1)
            if one.parameter and known is not None:
                known = Bound(known.library)
            if known is None and one.inner is None:
                library = self._library_of(one.annotation, one.around)
                known = Bound(library) if library else None
            return known

        return self._once(one, find)

    def _library_of(self, annotation: ast.expr | None, scope: Scope) -> str | None:
        """Return whose client a name with this annotation is; what may also be a function is none
        for sure."""
        if annotation is not None and "Callable" in ast.unparse(annotation):
            return None
        match annotation:
            case ast.Constant(value=str(text)):
                try:
                    return self._library_of(ast.parse(text, mode="eval").body, scope)
                except (SyntaxError, ValueError):
                    return None
            case ast.Name() | ast.Attribute():
                return self._library(dotted(annotation), scope, END)
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                return self._library_of(left, scope) or self._library_of(right, scope)
            case ast.Subscript(value=of, slice=inner):
                if dotted(of).rpartition(".")[2] not in _TRANSPARENT:
                    return self._library_of(of, scope)
                parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
                return next(
                    (known for one in parts if (known := self._library_of(one, scope))), None
                )
            case _:
                return None

    def _library(self, name: str, scope: Scope, place: Place) -> str | None:
        full = self._full(name, scope, place)
        package, _, last = full.rpartition(".")
        if package.startswith(("langchain", "langgraph")):
            return "langchain" if last in LANGCHAIN_MODELS else None
        return CLIENTS.get(full) or WRAPPERS.get(full)

    def _made(self, node: ast.Call, scope: Scope, depth: int) -> Bound | None:
        name = dotted(node.func)
        library = self._library(name, scope, place_of(node)) if name else None
        if library is not None:
            inner = None
            if self.full(node.func, scope) in WRAPPERS:
                inner = _first(self.client(one, scope, depth + 1) for one in node.args)
            return Bound(library, ((node, scope), *(inner.made if inner else ())))
        for one in self._found(name, scope, place_of(node.func)):
            if one.inner is not None and not one.inner.is_class:
                return self._returned(one, one.inner, depth)
        match node.func:
            case ast.Attribute(value=of, attr=attr) if attr in SAME:
                same = self.client(of, scope, depth + 1)
            case ast.Attribute(value=ast.Attribute(value=of, attr="chats"), attr="create"):
                of = of.value if isinstance(of, ast.Attribute) and of.attr == "aio" else of
                same = self.client(of, scope, depth + 1)
                same = same if same and same.library == "google-genai" else None
            case _:
                return None
        return same and Bound(same.library, ((node, scope), *same.made))

    def _returned(self, binding: Binding, function: Scope, depth: int) -> Bound | None:
        def find() -> Bound | None:
            library = self._library_of(binding.annotation, binding.scope)
            returned = (self.client(one, function, depth + 1) for one in function.returned)
            return Bound(library) if library else _either(returned)

        return self._once(function, find)

    def _piped(self, node: ast.BinOp, scope: Scope, depth: int) -> Bound | None:
        """Return LangChain's chain of a prompt, a model and a parser."""
        parts: list[ast.expr] = []
        rest: ast.expr = node
        while isinstance(rest, ast.BinOp) and isinstance(rest.op, ast.BitOr):
            parts.append(rest.right)
            rest = rest.left
        parts.append(rest)
        model = _first(self.client(one, scope, depth + 1) for one in reversed(parts))
        if model is None or model.library != "langchain":
            return None
        told = [self.value(one, scope) or (one, scope) for one in reversed(parts)]
        prompts = ((one, where) for one, where in told if isinstance(one, ast.Call))
        return Bound("langchain", tuple(dict.fromkeys((*prompts, *model.made))))


def keywords_of(call: ast.Call) -> Mapping[str, ast.expr]:
    """Return what a call is given by name."""
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def _is_none(one: Binding) -> bool:
    return isinstance(one.value, ast.Constant) and one.value.value is None and not one.parameter


def _agreed(found: list[Binding]) -> tuple[ast.expr, Scope] | None:
    values = [one.value for one in found if one.value is not None]
    if not values or (len(values) > 1 and len({ast.dump(value) for value in values}) > 1):
        return None
    return values[0], found[0].around


def _first(options: Iterable[Bound | None]) -> Bound | None:
    return next((one for one in options if one is not None), None)


def _either(options: Iterable[Bound | None]) -> Bound | None:
    """Return the client that one of the options is, made as all say that tell it."""
    found: Sequence[Bound] = [one for one in options if one is not None]
    if not found:
        return None
    made = {one.made for one in found if one.made}
    return Bound(found[0].library, made.pop() if len(made) == 1 else ())
