"""JavaScript's and TypeScript's syntax trees: parsing, walking, and what literals say."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from stepdown.errors import Unavailable

__all__ = [
    "NAMES",
    "SUFFIXES",
    "TEXT",
    "Node",
    "named",
    "pairs",
    "parse",
    "said_parts",
    "spelled",
    "unquoted",
    "unwrapped",
    "walk",
]

Node = Any
"""A tree-sitter node: the package's types come with the extra."""

SUFFIXES: Mapping[str, str] = {
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs"), "javascript"),
    **dict.fromkeys((".ts", ".mts", ".cts"), "typescript"),
    ".tsx": "tsx",
}
"""Which grammar reads a file of that suffix."""

_SCOPES = frozenset(
    (
        *("function_declaration", "method_definition", "generator_function_declaration"),
        *("class_declaration", "abstract_class_declaration"),
    )
)
_WRAPPERS = frozenset(
    (
        *("as_expression", "satisfies_expression", "type_assertion", "non_null_expression"),
        *("parenthesized_expression", "await_expression"),
    )
)
NAMES = frozenset(("identifier", "member_expression", "shorthand_property_identifier"))
TEXT = frozenset(("string", "template_string"))
_CHUNK = 65_536
# Files that can be parsed take one step for 100 bytes or more.
_STEPS = 2_000
_BYTES_A_STEP = 25
_ESCAPES = {"\\n": "\n", "\\t": "\t", '\\"': '"', "\\'": "'", "\\\\": "\\", "\\`": "`"}


def parse(source: bytes, grammar: str) -> Node:
    """Return the root of a file's tree.

    Raises:
        Unavailable: the extra `code` is not installed.
        ValueError: the parser finds no end, as it does with some broken files.
    """
    try:
        import tree_sitter
        import tree_sitter_javascript
        import tree_sitter_typescript
    except ImportError as missing:
        raise Unavailable(
            "JavaScript and TypeScript are read with the extra `code`: "
            "pip install 'stepdown[code]'."
        ) from missing
    languages = {
        "javascript": tree_sitter_javascript.language,
        "typescript": tree_sitter_typescript.language_typescript,
        "tsx": tree_sitter_typescript.language_tsx,
    }
    language = tree_sitter.Language(languages[grammar]())
    parser = tree_sitter.Parser(language)
    steps, most = count(), _STEPS + len(source) // _BYTES_A_STEP
    tree = parser.parse(
        lambda offset, _: source[offset : offset + _CHUNK],
        progress_callback=lambda _offset, _error: next(steps) > most,
    )
    # Parsed again from what it is already, at no cost, its nodes have their texts at hand.
    return parser.parse(source, tree).root_node


def walk(root: Node, around: str) -> Iterator[tuple[Node, str]]:
    """Yield every node, in the file's order, with the name of the function that it stands in."""
    waiting: list[tuple[Node, str]] = [(root, around)]
    while waiting:
        node, name = waiting.pop()
        yield node, name
        inner = name
        if node.type in _SCOPES:
            own = named(node, "name")
            inner = f"{name}.{own}" if name and own else own or name
        elif node.type == "variable_declarator":
            value = node.child_by_field_name("value")
            if value is not None and value.type in ("arrow_function", "function_expression"):
                own = named(node, "name")
                inner = f"{name}.{own}" if name else own
        waiting.extend((child, inner) for child in reversed(node.named_children))


def pairs(node: Node | None) -> dict[str, Node]:
    """Return an object's members by name; a shorthand stands for the name that it is."""
    found: dict[str, Node] = {}
    for child in node.named_children if node is not None and node.type == "object" else ():
        if child.type == "pair":
            found[unquoted(child.child_by_field_name("key"))] = child.child_by_field_name("value")
        elif child.type == "shorthand_property_identifier":
            found[spelled(child)] = child
        elif child.type == "method_definition":
            found[named(child, "name")] = child
    return found


def named(node: Node, name: str) -> str:
    """Return the text of a node's field, or ""."""
    found = node.child_by_field_name(name)
    return "" if found is None else spelled(found)


def spelled(node: Node) -> str:
    """Return a node's text."""
    return node.text.decode("utf-8", "replace")


def unquoted(node: Node | None) -> str:
    """Return a string's text without its quotes."""
    return "" if node is None else spelled(node).strip("\"'`")


def unwrapped(node: Node) -> Node:
    """Return what an expression is without types and brackets around it: `(x as any)` is `x`."""
    while node.type in _WRAPPERS and node.named_children:
        # `<any>x` says the type first.
        node = node.named_children[-1 if node.type == "type_assertion" else 0]
    return node


def said_parts(node: Node) -> Iterator[str | Node]:
    """Yield what a string or template holds: texts, and the expressions that fill it in."""
    for child in node.named_children:
        if child.type == "template_substitution":
            yield child.named_children[0]
        elif child.type == "escape_sequence":
            yield _ESCAPES.get(spelled(child), spelled(child))
        else:
            yield spelled(child)
