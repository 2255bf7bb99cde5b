"""The scopes of a Python file, and what a name may be bound to at a place in them.

Python's own rules: what a function binds anywhere hides the outer name in all of it, and a class's
names are seen from its methods through `self` alone. Where several assignments may have run, all
are given; one that must have run hides those before it.
"""

import ast
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Literal, cast

import msgspec

__all__ = [
    "END",
    "Binding",
    "Code",
    "Place",
    "Scope",
    "dotted",
    "mentions",
    "place_of",
    "read_code",
]

Place = tuple[int, int]
"""Line and column."""

_Span = tuple[Place, Place]
_START: Place = (0, 0)
END: Place = (sys.maxsize, 0)
_MOST = 200  # bindings looked at above a place, and below: a file may have thousands


class Block(msgspec.Struct, frozen=True):
    """The branch around a statement, whether the function is left at its end, the loops around."""

    arm: _Span = (_START, END)
    leaves: bool = False
    loops: tuple[_Span, ...] = ()


class Binding(msgspec.Struct, frozen=True, eq=False):
    """One thing that a name is bound to, from `place` on; nothing is known of a bare one.

    `value` stands in `scope`, where the assignment runs; of a parameter it is the default, which
    callers may replace, and stands around it. `module` is what an import names, `inner` the scope
    of a function or class.
    """

    scope: "Scope"
    place: Place
    block: Block
    value: ast.expr | None = None
    annotation: ast.expr | None = None
    parameter: bool = False
    module: str = ""
    inner: "Scope | None" = None

    @property
    def around(self) -> "Scope":
        """The scope that value and annotation are read in."""
        return self.scope.outer or self.scope if self.parameter else self.scope


class Scope:
    """The names of one function, class or file, or of a lambda or comprehension, run inline."""

    def __init__(
        self,
        name: str,
        outer: "Scope | None" = None,
        kind: Literal["file", "class", "function", "inline"] = "file",
        file: str = "",
    ) -> None:
        self.name = name
        self.outer = outer
        self.is_class = kind == "class"
        self.file = outer.file if outer else file
        self.runs_in: Scope = outer.runs_in if outer and kind == "inline" else self
        self.bound: dict[str, list[Binding]] = {}
        self._sorted: dict[str, _Bound] = {}
        self.elsewhere: dict[str, Scope] = {}
        self.returned: list[ast.expr] = []

    def bind(self, name: str, binding: Binding) -> None:
        """Bind a dotted name; `self.x` is the class's."""
        holder = self.elsewhere.get(name, self)
        if name.startswith("self."):
            holder = next((scope for scope in self.outwards() if scope.is_class), self)
        elif holder.is_class:
            name = f"self.{name}"
        holder.bound.setdefault(name, []).append(binding)
        holder._sorted.pop(name, None)

    def bindings(self, name: str, place: Place) -> list[Binding] | None:
        """Return what the dotted name may be bound to, read from here at that place; None where it
        is no name that a scope here binds."""
        first, dot, _ = name.partition(".")
        own = bool(dot) and first == "self"
        for scope in self.outwards():
            if scope.is_class and scope is not self and not own:
                continue
            prefix = "self." if scope.is_class and not own else ""
            found = scope.bound.get(prefix + name)
            if found is not None:
                if prefix + name not in scope._sorted:
                    scope._sorted[prefix + name] = _Bound(found, name)
                return scope._sorted[prefix + name].reaching(place, self.runs_in)
            if (own and scope.is_class) or (not own and prefix + first in scope.bound):
                return None
        return None

    def outwards(self) -> "Iterator[Scope]":
        """Yield the scope and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer


class _Bound:
    """The bindings of one name, in an order in which those that reach a place are soon found."""

    def __init__(self, bound: list[Binding], name: str) -> None:
        self._all = bound
        self._own: dict[Scope, list[Binding]] = {}
        self._inside: dict[Scope, list[Binding]] = {}
        self._others: dict[Scope, list[Binding]] = {}
        for one in sorted(bound, key=_place):
            runs_in = one.scope.runs_in
            self._own.setdefault(runs_in, []).append(one)
            for around in one.scope.outwards():
                if around is not runs_in:
                    self._inside.setdefault(around, []).append(one)
        self._loops = {
            scope: sorted({loop for one in here for loop in one.block.loops})
            for scope, here in self._own.items()
        }
        self._last = {o for o in bound if _holds(o.block.arm, END) and mentions(o.value, name)}

    def reaching(self, place: Place, reader: Scope) -> list[Binding]:
        """Return what the name may be bound to at a place of a function."""
        bound = self._all
        if len(bound) == 1 and (bound[0].place <= place or bound[0].scope.runs_in is not reader):
            return bound
        here = self._own.get(reader, [])
        found: list[Binding] = []
        since: Place | None = None
        above = bisect_right(here, place, key=_place)
        for at in range(above - 1, max(above - _MOST, 0) - 1, -1):
            one = here[at]
            within = _holds(one.block.arm, place)
            if within or not one.block.leaves:
                found.append(one)
            if within:
                since = one.place
                break
        if (loop := self._loop(place, since, reader)) is not None:
            # Round a loop, what stands below is above.
            found += [one for one in here[above : above + _MOST] if loop in one.block.loops]
        if since is not None:
            # Between the assignment and here, functions inside may have run.
            return found + self._inside.get(reader, [])
        if reader not in self._others:
            others = (one for one in reversed(bound) if one.scope.runs_in is not reader)
            some = [*islice(others, _MOST)]
            last = next((at for at, one in enumerate(some) if one in self._last), _MOST)
            self._others[reader] = some[: last + 1]
        return found + self._others[reader]

    def _loop(self, place: Place, since: Place | None, reader: Scope) -> _Span | None:
        """Return the outermost loop around a place that has begun since."""
        loops = self._loops.get(reader, [])
        upto = bisect_right(loops, (place, END))
        first = max(upto - _MOST, 0 if since is None else bisect_right(loops, (since, END)))
        return next((loop for loop in loops[first:upto] if place <= loop[1]), None)


def _place(one: Binding) -> Place:
    return one.place


def _holds(span: _Span, place: Place) -> bool:
    return span[0] <= place <= span[1]


def mentions(value: ast.expr | None, name: str) -> bool:
    """Say whether an expression reads the name."""
    inside = () if value is None else ast.walk(value)
    return any(isinstance(n, ast.Name | ast.Attribute) and dotted(n) == name for n in inside)


class Code(msgspec.Struct, frozen=True):
    """A file's outermost scope, and all its calls with the scopes that they are made in."""

    top: Scope
    calls: list[tuple[ast.Call, Scope]]


_One = tuple[ast.AST, Scope, Block]
_Inside = Iterable[_One]


def read_code(source: str | bytes, file: str) -> Code:
    """Read a file's scopes.

    Raises:
        SyntaxError: it is no Python.
        ValueError, RecursionError: it can't be parsed: a NUL byte, or nested too deeply.
    """
    code = Code(Scope("", file=file), [])
    waiting: list[_One] = [(ast.parse(source), code.top, Block())]
    while waiting:
        node, scope, block = waiting.pop()
        kind = type(node)
        if isinstance(node, ast.Call):
            code.calls.append((node, scope))
        if kind in _BINDERS:
            _BINDERS[kind](node, scope, block)
        for target, value, annotation, end in _ASSIGNED[kind](node) if kind in _ASSIGNED else ():
            _set(target, value, scope.runs_in, block, _end(end), annotation)
        if kind in _INSIDE:
            inside = _INSIDE[kind](node, scope, block)
        else:
            inside = ((child, scope, block) for child in ast.iter_child_nodes(node))
        waiting += reversed([*inside])
    return code


def dotted(node: ast.expr) -> str:
    """Return a dotted name, `cls.` as `self.`; "" for any other expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    parts.append("self" if node.id == "cls" and parts else node.id)
    return ".".join(reversed(parts))


def place_of(node: ast.expr | ast.stmt) -> Place:
    """Return where a node begins."""
    return node.lineno, node.col_offset


def _end(node: ast.expr | ast.stmt) -> Place:
    return node.end_lineno or node.lineno, node.end_col_offset or node.col_offset


def _sum(node: ast.AugAssign) -> ast.expr:
    return ast.copy_location(ast.BinOp(node.target, node.op, node.value), node)


def _set(
    target: ast.expr | None,
    value: ast.expr | None,
    scope: Scope,
    block: Block,
    place: Place,
    annotation: ast.expr | None = None,
) -> None:
    """Bind what stands on the left of an assignment."""
    if isinstance(target, ast.Starred):
        _set(target.value, None, scope, block, place)
    elif isinstance(target, ast.Tuple | ast.List):
        values: list[ast.expr | None] = [None] * len(target.elts)
        if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(values):
            starred = any(isinstance(one, ast.Starred) for one in (*target.elts, *value.elts))
            values = values if starred else [*value.elts]
        for one, its in zip(target.elts, values, strict=True):
            _set(one, its, scope, block, place)
    elif target is not None and (name := dotted(target)):
        scope.bind(name, Binding(scope, place, block, value, annotation))


def _import(node: ast.Import, scope: Scope, block: Block) -> None:
    for alias in node.names:
        first = alias.name.partition(".")[0]
        module = alias.name if alias.asname else first
        scope.bind(alias.asname or first, Binding(scope, _end(node), block, module=module))


def _import_from(node: ast.ImportFrom, scope: Scope, block: Block) -> None:
    package = "." * node.level + (f"{node.module}." if node.module else "")
    for alias in node.names:
        binding = Binding(scope, _end(node), block, module=package + alias.name)
        scope.bind(alias.asname or alias.name, binding)


def _global(node: ast.Global | ast.Nonlocal, scope: Scope, block: Block) -> None:
    holder = scope.outer or scope
    while isinstance(node, ast.Global) and holder.outer is not None:
        holder = holder.outer
    scope.elsewhere.update(dict.fromkeys(node.names, holder))


def _return(node: ast.Return, scope: Scope, block: Block) -> None:
    if node.value is not None:
        scope.returned.append(node.value)


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _in_definition(node: _Function | ast.ClassDef, scope: Scope, block: Block) -> _Inside:
    qualified = f"{scope.name}.{node.name}" if scope.name else node.name
    if isinstance(node, ast.ClassDef):
        inner, returns = Scope(qualified, scope, "class"), None
        around = [*node.bases, *(keyword.value for keyword in node.keywords)]
    else:
        inner, returns = Scope(qualified, scope, "function"), node.returns
        around = _parameters(node.args, inner)
    scope.bind(node.name, Binding(scope, place_of(node), block, annotation=returns, inner=inner))
    return [*_all([*node.decorator_list, *around], scope, block), *_all(node.body, inner, Block())]


def _in_lambda(node: ast.Lambda, scope: Scope, block: Block) -> _Inside:
    inner = Scope(scope.name, scope, "inline")
    return [*_all(_parameters(node.args, inner), scope, block), (node.body, inner, block)]


def _parameters(arguments: ast.arguments, inner: Scope) -> list[ast.expr]:
    """Bind a function's parameters; return the defaults, which stand outside it."""
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [*[None] * (len(plain) - len(arguments.defaults)), *arguments.defaults]
    pairs = [*zip(plain, defaults, strict=True)]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    for one, default in pairs:
        binding = Binding(inner, _START, Block(), default, one.annotation, parameter=True)
        inner.bind(one.arg, binding)
    for one in (arguments.vararg, arguments.kwarg):
        if one is not None:
            inner.bind(one.arg, Binding(inner, _START, Block()))
    return [default for _, default in pairs if default is not None]


def _in_comprehension(
    node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, scope: Scope, block: Block
) -> _Inside:
    inner = Scope(scope.name, scope, "inline")
    for one in node.generators:
        _set(one.target, None, inner, Block(), _START)
    return _all(ast.iter_child_nodes(node), inner, block)


def _all(nodes: Iterable[ast.AST], scope: Scope, block: Block) -> _Inside:
    return [(node, scope, block) for node in nodes]


def _in_arms(node: ast.stmt | ast.match_case, scope: Scope, block: Block) -> Iterator[_One]:
    for field, value in ast.iter_fields(node):
        inside = cast("list[Any]", value if isinstance(value, list) else [value])
        around = block
        if field in ("body", "orelse") and inside:
            loops = block.loops
            if field == "body" and isinstance(node, ast.For | ast.AsyncFor | ast.While):
                loops = (*loops, (place_of(node), _end(inside[-1])))
            leaves = isinstance(inside[-1], ast.Return | ast.Raise)
            around = Block((place_of(inside[0]), _end(inside[-1])), leaves, loops)
        yield from ((one, scope, around) for one in inside if isinstance(one, ast.AST))


_BRANCHES = (ast.If, ast.While, ast.For, ast.AsyncFor, ast.Try, ast.TryStar, ast.ExceptHandler)

_Assigned = Iterable[tuple[ast.expr | None, ast.expr | None, ast.expr | None, Any]]

_ASSIGNED: Mapping[type[ast.AST], Callable[[Any], _Assigned]] = {
    ast.Assign: lambda node: [(one, node.value, None, node) for one in node.targets],
    ast.AnnAssign: lambda node: [(node.target, node.value, node.annotation, node)],
    ast.AugAssign: lambda node: [(node.target, _sum(node), None, node)],
    ast.NamedExpr: lambda node: [(node.target, node.value, None, node)],
    ast.withitem: lambda node: [(node.optional_vars, node.context_expr, None, node.context_expr)],
    **dict.fromkeys((ast.For, ast.AsyncFor), lambda node: [(node.target, None, None, node.iter)]),
    **dict.fromkeys(
        (ast.ExceptHandler, ast.MatchAs, ast.MatchStar),
        lambda node: [(ast.Name(node.name or ""), None, None, node)],
    ),
    ast.MatchMapping: lambda node: [(ast.Name(node.rest or ""), None, None, node)],
}
"""What is bound to what: target, value, annotation, and the node after which it is."""

_BINDERS: Mapping[type[ast.AST], Callable[..., None]] = {
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Global: _global,
    ast.Nonlocal: _global,
    ast.Return: _return,
}

_INSIDE: Mapping[type[ast.AST], Callable[..., _Inside]] = {
    **dict.fromkeys((ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef), _in_definition),
    ast.Lambda: _in_lambda,
    **dict.fromkeys((ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp), _in_comprehension),
    **dict.fromkeys((*_BRANCHES, ast.match_case), _in_arms),
}
