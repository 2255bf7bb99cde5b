"""What the names of a JavaScript file stand for, each in its function and block.

A name is what was last set before its use, in the innermost function or block that declares it;
a parameter hides what is outside. Where that was set under a condition, or in another function,
it may be any of several.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator

import msgspec

from stepdown.scan.syntax import NAMES, Node, named, pairs, spelled, unquoted, unwrapped, walk

__all__ = ["Entry", "Names"]

_FUNCTIONS = frozenset(
    (
        *("function_declaration", "generator_function_declaration", "method_definition"),
        *("function_expression", "generator_function", "arrow_function"),
    )
)
_CLASSES = frozenset(("class_declaration", "abstract_class_declaration"))
_SCOPES = _FUNCTIONS | frozenset(
    (
        *("program", "class_body", "statement_block", "catch_clause", "for_statement"),
        *("for_in_statement", "if_statement", "else_clause", "switch_case", "switch_default"),
    )
)
_SET = frozenset(("assignment_expression", "augmented_assignment_expression"))
_FIELDS = frozenset(("public_field_definition", "field_definition"))
_VARIABLES = frozenset(("lexical_declaration", "variable_declaration"))
_PROPERTY = frozenset(("accessibility_modifier", "override_modifier", "readonly"))
_EMPTY = frozenset(("null", "undefined"))
_DEEPEST = 9
_MOST = 12


class Entry(msgspec.Struct, frozen=True):
    """What a name was set to: an expression, an export of a module, or something unknown."""

    end: int
    scope: "_Scope"
    value: Node | None = None
    imported: tuple[str, str] | None = None


class _Scope:
    """The names of a function, a block, a class (`this.x`) or the file."""

    def __init__(self, kind: str, end: int, outer: "_Scope | None") -> None:
        self.kind = kind
        self.end = end
        self.outer = outer
        self.names: dict[str, list[Entry]] = {}
        self.types: dict[str, Node] = {}

    def outwards(self) -> "Iterator[_Scope]":
        scope: _Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer


class Names:
    """The names of one file, and its calls, each with the name of the function around it."""

    def __init__(self, root: Node) -> None:
        self._scopes: list[_Scope] = []
        self._starts: list[int] = []
        self._set: list[tuple[Node, _Scope]] = []
        self._asked: set[int] = set()
        self.calls: list[tuple[Node, str]] = []
        scope: _Scope | None = None
        for node, around in walk(root, ""):
            while scope is not None and scope.outer is not None and scope.end <= node.start_byte:
                scope = scope.outer
            outer = scope
            if scope is None or node.type in _SCOPES:
                scope = _Scope(node.type, node.end_byte, scope)
                self._scopes.append(scope)
                self._starts.append(node.start_byte if outer else 0)
            self._declare(node, scope, outer or scope)
            if node.type == "call_expression":
                self.calls.append((node, around))
        for node, inner in self._set:
            self._assign(node, inner)

    def candidates(self, name: str, at: int) -> list[Entry]:
        """Return what a (dotted) name may stand for at that byte, the likeliest first."""
        user = self._scope(at)
        entries = self._holder(name, user).names.get(name, [])
        found: list[Entry] = []
        for entry in reversed(entries[: bisect_right(entries, at, key=_end)]):
            found.append(entry)
            if entry.scope in user.outwards() or len(found) == _MOST:
                return found
        return found or entries

    def annotation(self, name: str, at: int) -> Node | None:
        """Return the type that a name was declared with."""
        return self._holder(name, self._scope(at)).types.get(name)

    def imported(self, name: str, at: int) -> tuple[str, str]:
        """Return the module, and what of it, that a (dotted) name is; "" for both elsewhere."""
        first, _, rest = name.partition(".")
        for module, own in (e.imported for e in self.candidates(first, at) if e.imported):
            whole = own in ("*", "default")
            return module, (rest if whole else f"{own}.{rest}") if rest else own
        return "", ""

    def exported(self, name: str) -> Node | None:
        """Return what the file exports by that name."""
        found = self._scopes[0].names.get(f"exports.{name}")
        return found[-1].value if found else None

    def values(self, node: Node) -> list[Node | None]:
        """Return what a name, or a member of a named object, may stand for; None is unknown."""
        found = self.candidates(spelled(node), node.start_byte)
        if not found and node.type == "member_expression" and node.id not in self._asked:
            # A name may be set to a member of itself.
            self._asked.add(node.id)
            holder = self.meant(node.child_by_field_name("object"))
            self._asked.discard(node.id)
            member = pairs(holder).get(named(node, "property"))
            return [] if member is None else [member]
        return [entry.value for entry in found]

    def meant(self, node: Node) -> Node:
        """Return the one expression that a name stands for, or the node itself."""
        node = unwrapped(node)
        for _ in range(_DEEPEST):
            found = self.values(node) if node.type in NAMES else []
            if len(found) != 1 or found[0] is None:
                break
            node = unwrapped(found[0])
        return node

    def _scope(self, at: int) -> _Scope:
        scope = self._scopes[bisect_right(self._starts, at) - 1]
        return next((s for s in scope.outwards() if at < s.end), self._scopes[0])

    def _holder(self, name: str, user: _Scope) -> _Scope:
        first = name.partition(".")[0]
        for scope in user.outwards():
            if scope.kind == "class_body" if first == "this" else first in scope.names:
                return scope
        return self._scopes[0]

    def _declare(self, node: Node, scope: _Scope, outer: _Scope) -> None:
        kind = node.type
        if kind in _VARIABLES:
            for child in node.named_children:
                self._variable(child, scope, kind == "variable_declaration")
        elif kind in _FUNCTIONS or kind in ("catch_clause", "for_in_statement"):
            if kind.endswith("_declaration"):
                self._add(outer, named(node, "name"), Entry(-1, outer, node))
            self._parameters(node, scope)
        elif kind in _CLASSES:
            self._add(scope, named(node, "name"), Entry(-1, scope, node))
        elif kind == "import_statement":
            self._import(node, scope)
        elif kind == "export_statement":
            self._export(node, scope)
        elif kind in _FIELDS:
            name = "this." + (named(node, "name") or named(node, "property"))
            self._add(scope, name, self._entry(node, scope), node.child_by_field_name("type"))
        elif kind in _SET and named(node, "operator") in ("", "??=", "||="):
            self._set.append((node, scope))

    def _add(
        self, scope: _Scope, name: str, entry: Entry | None = None, annotation: Node | None = None
    ) -> None:
        entries = scope.names.setdefault(name, [])
        if entry is not None:
            insort(entries, entry, key=_end)
        if annotation is not None:
            scope.types[name] = annotation

    def _entry(self, node: Node, scope: _Scope, field: str = "value") -> Entry | None:
        """Return what is set; a name that is only declared, or emptied, is set elsewhere."""
        value = node.child_by_field_name(field)
        if value is None or unwrapped(value).type in _EMPTY:
            return None
        return Entry(node.end_byte, scope, value)

    def _variable(self, node: Node, scope: _Scope, hoisted: bool) -> None:
        target = node.child_by_field_name("name")
        if target is None:
            return
        holder = scope
        if hoisted:
            functions = (s for s in scope.outwards() if s.kind in _FUNCTIONS)
            holder = next(functions, self._scopes[0])
        entry = self._entry(node, scope)
        module = _required(entry.value) if entry is not None else None
        if target.type == "identifier":
            if module is not None:
                entry = Entry(node.end_byte, scope, None, module)
            self._add(holder, spelled(target), entry, node.child_by_field_name("type"))
            return
        for name, key in _bound(target):
            of = (module[0], key) if module is not None and module[1] in ("default", "*") else None
            self._add(holder, name, Entry(node.end_byte, scope, None, of))

    def _parameters(self, node: Node, scope: _Scope) -> None:
        given: list[Node] = []
        many = node.child_by_field_name("parameters")
        one = node.child_by_field_name("parameter")
        if node.type != "for_in_statement":
            given = many.named_children if many is not None else [one] if one is not None else []
        elif node.child_by_field_name("kind"):
            # Without `const` or `let` it sets a name that is declared elsewhere.
            given = [node.child_by_field_name("left")]
        for parameter in given:
            annotation = parameter.child_by_field_name("type")
            plain = named(parameter, "pattern")
            for name, _ in _bound(parameter):
                hidden = Entry(-1, scope)
                self._add(scope, name, hidden, annotation if name == plain else None)
            if parameter.children and parameter.children[0].type in _PROPERTY:
                self._add(self._holder("this", scope), f"this.{plain}", None, annotation)

    def _import(self, node: Node, scope: _Scope) -> None:
        module = unquoted(node.child_by_field_name("source"))
        for inner, _ in walk(node, ""):
            name, own = "", "default"
            if inner.type == "import_specifier":
                own = named(inner, "name")
                name = named(inner, "alias") or own
            elif inner.type in ("import_clause", "namespace_import", "import_require_clause"):
                first = inner.named_children[0]
                name = spelled(first) if first.type == "identifier" else ""
                own = "*" if inner.type == "namespace_import" else own
                module = module or unquoted(inner.child_by_field_name("source"))
            if name:
                self._add(scope, name, Entry(-1, scope, None, (module, own)))

    def _export(self, node: Node, scope: _Scope) -> None:
        """Note what is exported as if it were said in CommonJS: `exports.name`."""
        declared = node.child_by_field_name("declaration")
        found = [("default", node.child_by_field_name("value"))]
        for child in declared.named_children if declared is not None else node.named_children:
            inner = child.named_children if child.type == "export_clause" else [child]
            own = [(one, one.child_by_field_name("name")) for one in inner]
            found += [(named(one, "alias") or spelled(name), name) for one, name in own if name]
        for name, value in found if node.child_by_field_name("source") is None else ():
            if value is not None:
                self._add(scope, f"exports.{name}", Entry(node.end_byte, scope, value))

    def _assign(self, node: Node, scope: _Scope) -> None:
        target = node.child_by_field_name("left")
        entry = self._entry(node, scope, "right")
        if entry is not None and target is not None and target.type in NAMES:
            name = spelled(target)
            entries = self._holder(name, scope).names.setdefault(name, [])
            insort(entries, entry, key=_end)


def _end(entry: Entry) -> int:
    return entry.end


def _bound(pattern: Node) -> Iterator[tuple[str, str]]:
    """Yield the names that a pattern declares, each with the member that it takes."""
    match pattern.type:
        case "identifier" | "shorthand_property_identifier_pattern":
            yield spelled(pattern), spelled(pattern)
        case "required_parameter" | "optional_parameter":
            yield from _bound(pattern.child_by_field_name("pattern"))
        case "assignment_pattern" | "object_assignment_pattern":
            yield from _bound(pattern.child_by_field_name("left"))
        case "pair_pattern":
            for name, _ in _bound(pattern.child_by_field_name("value")):
                yield name, named(pattern, "key")
        case "object_pattern" | "array_pattern" | "rest_pattern":
            for child in pattern.named_children:
                yield from _bound(child)
        case _:
            pass


def _required(node: Node) -> tuple[str, str] | None:
    """Return the module, and what of it, of `require("x")`, `(await import("x")).default`."""
    node = unwrapped(node)
    if node.type == "member_expression":
        module = _required(node.child_by_field_name("object"))
        return None if module is None else (module[0], named(node, "property"))
    if node.type != "call_expression" or named(node, "function") not in ("require", "import"):
        return None
    given = node.child_by_field_name("arguments").named_children
    return (unquoted(given[0]), "default") if given else None
