"""What a Python expression is as text, by the code alone: `{}` where it is filled in."""

import ast
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Protocol

__all__ = ["HOLE", "Lookup", "static_text"]


class Lookup(Protocol):
    """Tells what a name stands for, and how the names in that are looked up; or None."""

    def __call__(self, node: ast.expr, /) -> "tuple[ast.expr, Lookup] | None":
        """Look a name up."""
        ...


_Read = Callable[[ast.expr], str | None]
_Known = dict[tuple[ast.expr, Lookup, int], str | None]

HOLE = "{}"
_DEEPEST = 20
_LONGEST = 1_000_000
"""Of a text put together; no prompt is so long, but `p = p + p` soon is."""
_FIELD = re.compile(r"\{[^{}]*\}|%\(\w+\)[sdrf]|%[sdrf]")
_TRIMMED = frozenset(("strip", "lstrip", "rstrip"))
_DEDENT = frozenset(("dedent", "cleandoc"))


def static_text(node: ast.expr, lookup: Lookup) -> str | None:
    """Return the text, or None where nothing of it stands in the code or it is far too long."""
    return _text(node, lookup, 0, {})


def _text(node: ast.expr, lookup: Lookup, depth: int, known: _Known) -> str | None:
    """Return the text of what stands so deep; each is read once, as `p = p + p` doubles."""
    if depth > _DEEPEST:
        return None
    key = (node, lookup, depth)
    if key not in known:
        if isinstance(node, ast.Name | ast.Attribute):
            found = lookup(node)
            known[key] = None if found is None else _text(*found, depth + 1, known)
        else:
            known[key] = _said(node, lambda one: _text(one, lookup, depth + 1, known))
    return known[key]


def _said(node: ast.expr, read: _Read) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return _whole("", [_part(part, read) for part in parts])
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            sides = [read(left), read(right)]
            return _whole("", sides) if any(side is not None for side in sides) else None
        case ast.BinOp(op=ast.Mod(), left=left):
            return _with_holes(read(left))
        case ast.Call():
            return _called(node, read)
        case _:
            return None


def _part(part: ast.expr, read: _Read) -> str | None:
    if isinstance(part, ast.Constant):
        return str(part.value)
    return (read(part.value) or None) if isinstance(part, ast.FormattedValue) else None


def _called(node: ast.Call, read: _Read) -> str | None:
    """Return the text of `"…".strip()`, `"…".format(…)`, `dedent("…")`, `"…".join([…])`."""
    function = node.func
    if isinstance(function, ast.Attribute):
        if function.attr == "join" and len(node.args) == 1:
            return _joined(function.value, node.args[0], read)
        text = read(function.value)
        if text is not None and function.attr in _TRIMMED and not node.args:
            return str(getattr(text, function.attr)())
        if function.attr == "format":
            return _with_holes(text)
    name = ast.unparse(function).rpartition(".")[2]
    if name in _DEDENT and len(node.args) == 1:
        text = read(node.args[0])
        return None if text is None else inspect.cleandoc(text)
    return None


def _joined(separator: ast.expr, items: ast.expr, read: _Read) -> str | None:
    between = read(separator)
    if between is None or not isinstance(items, ast.List | ast.Tuple):
        return None
    texts = [read(item) for item in items.elts]
    return None if all(text is None for text in texts) else _whole(between, texts)


def _whole(between: str, parts: Sequence[str | None]) -> str | None:
    """Return the parts as one text, with holes for the unknown, unless that is far too long."""
    length = sum(len(part or HOLE) + len(between) for part in parts)
    told = (HOLE if part is None else part for part in parts)
    return None if length > _LONGEST else between.join(told)


def _with_holes(text: str | None) -> str | None:
    if text is None:
        return None
    # Doubled braces are braces.
    kept = text.replace("{{", "\0").replace("}}", "\1")
    return _FIELD.sub(HOLE, kept).replace("\0", "{").replace("\1", "}")
