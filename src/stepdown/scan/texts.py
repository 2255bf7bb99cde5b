"""What a Python expression is as text, by the code alone: `{}` where it is filled in."""

import ast
import inspect
import re
from typing import Protocol

__all__ = ["HOLE", "Lookup", "static_text"]


class Lookup(Protocol):
    """Tells what a name stands for, and how the names in that are looked up; or None."""

    def __call__(self, node: ast.expr, /) -> "tuple[ast.expr, Lookup] | None":
        """Look a name up."""
        ...


HOLE = "{}"
_DEEPEST = 20
_FIELD = re.compile(r"\{[^{}]*\}|%\(\w+\)[sdrf]|%[sdrf]")
_TRIMMED = frozenset(("strip", "lstrip", "rstrip"))
_DEDENT = frozenset(("dedent", "cleandoc"))


def static_text(node: ast.expr, lookup: Lookup, depth: int = 0) -> str | None:
    """Return the text, or None where nothing of it stands in the code."""
    if depth > _DEEPEST:
        return None
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_part(part, lookup, depth) for part in parts)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            sides = [static_text(side, lookup, depth + 1) for side in (left, right)]
            known = any(side is not None for side in sides)
            return "".join(HOLE if side is None else side for side in sides) if known else None
        case ast.BinOp(op=ast.Mod(), left=left):
            return _with_holes(static_text(left, lookup, depth + 1))
        case ast.Call():
            return _called(node, lookup, depth)
        case ast.Name() | ast.Attribute():
            found = lookup(node)
            return None if found is None else static_text(*found, depth + 1)
        case _:
            return None


def _part(part: ast.expr, lookup: Lookup, depth: int) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    if isinstance(part, ast.FormattedValue):
        return static_text(part.value, lookup, depth + 1) or HOLE
    return HOLE


def _called(node: ast.Call, lookup: Lookup, depth: int) -> str | None:
    """Return the text of `"…".strip()`, `"…".format(…)`, `dedent("…")`, `"…".join([…])`."""
    function = node.func
    if isinstance(function, ast.Attribute):
        if function.attr == "join" and len(node.args) == 1:
            return _joined(function.value, node.args[0], lookup, depth)
        text = static_text(function.value, lookup, depth + 1)
        if text is not None and function.attr in _TRIMMED and not node.args:
            return str(getattr(text, function.attr)())
        if function.attr == "format":
            return _with_holes(text)
    name = ast.unparse(function).rpartition(".")[2]
    if name in _DEDENT and len(node.args) == 1:
        text = static_text(node.args[0], lookup, depth + 1)
        return None if text is None else inspect.cleandoc(text)
    return None


def _joined(separator: ast.expr, items: ast.expr, lookup: Lookup, depth: int) -> str | None:
    between = static_text(separator, lookup, depth + 1)
    if between is None or not isinstance(items, ast.List | ast.Tuple):
        return None
    texts = [static_text(item, lookup, depth + 1) for item in items.elts]
    if all(text is None for text in texts):
        return None
    return between.join(HOLE if text is None else text for text in texts)


def _with_holes(text: str | None) -> str | None:
    if text is None:
        return None
    # Doubled braces are braces.
    kept = text.replace("{{", "\0").replace("}}", "\1")
    return _FIELD.sub(HOLE, kept).replace("\0", "{").replace("\1", "}")
