"""The flattened record of an answer: reading, comparing and writing answers field by field."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, cast

import msgspec

from stepdown.core.anatomy import Shape
from stepdown.core.calls import Answer, ToolCall

__all__ = [
    "CALLS",
    "escape",
    "flatten",
    "infer_shape",
    "read_answer",
    "read_json",
    "same_record",
    "same_value",
    "style_of",
    "tool_call",
    "tool_calls",
    "unflatten",
    "write_json",
]

MAX_DEPTH = 64
"""Deeper JSON is nobody's answer to a narrow task; the cap keeps recursion bounded."""

_FENCE = re.compile(r"\A\s*```([A-Za-z]*)[ \t]*\n(.*?)\n?[ \t]*```\s*\Z", re.DOTALL)
_TOOL = "/tool"
CALLS = "/calls"
"""The one field of a record of several tool calls: [{"name": …, "arguments": {…}}, …]."""
_TOOL_SHARE = 0.05
_STYLE_SAMPLE = 200
_LAYOUTS: tuple[tuple[int | None, tuple[str, str]], ...] = (
    (None, (", ", ": ")),
    (None, (",", ":")),
    (2, (",", ": ")),
    (4, (",", ": ")),
    (None, (",", ": ")),
    (1, (",", ": ")),
    (3, (",", ": ")),
    (8, (",", ": ")),
)


def escape(key: str) -> str:
    """Return `key` as one reference token of a JSON pointer (RFC 6901 §3)."""
    return key.replace("~", "~0").replace("/", "~1")


def _unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _leaves(value: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        path = f"{prefix}/{escape(key)}"
        if isinstance(item, dict) and item:
            yield from _leaves(cast("dict[str, Any]", item), path)
        else:
            yield path, item


def flatten(value: Any) -> dict[str, Any]:
    """Return JSON pointer → value for every leaf of an object; any other value is {"": value}.

    Lists are values, and so is an empty nested object.
    """
    if isinstance(value, dict):
        return dict(_leaves(cast("dict[str, Any]", value), ""))
    return {"": value}


def unflatten(record: dict[str, Any]) -> Any:
    """Return the JSON value that flattens to `record`; the keys keep the record's order.

    Raises:
        ValueError: a path goes through a field that has a value of its own.
    """
    if "" in record:
        return record[""]
    root: dict[str, Any] = {}
    for path, value in record.items():
        *parents, last = [_unescape(token) for token in path.split("/")[1:]]
        node = root
        for parent in parents:
            child = node.setdefault(parent, {})
            if not isinstance(child, dict):
                raise ValueError(f"{path!r} goes through a field that already has a value")
            node = cast("dict[str, Any]", child)
        node[last] = value
    return root


def tool_call(record: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return (name, arguments) of a record of shape tool, or None when no tool is called."""
    name = record.get(_TOOL)
    if name is None:
        return None
    prefix = f"/{escape(name)}"
    under = {p[len(prefix) :]: v for p, v in record.items() if p.startswith(f"{prefix}/")}
    return name, unflatten(under)


def tool_calls(record: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return (name, arguments) of every call of a record of shape tool, in order.

    Raises:
        ValueError: the record's list of calls holds what is no call.
    """
    if CALLS not in record:
        called = tool_call(record)
        return [] if called is None else [called]
    found: list[tuple[str, dict[str, Any]]] = []
    for call in _items(record[CALLS]):
        name, arguments = call.get("name"), call.get("arguments")
        if not isinstance(name, str) or not isinstance(arguments, dict):
            raise ValueError("a call needs a name and arguments")
        found.append((name, cast("dict[str, Any]", arguments)))
    return found


def _items(value: Any) -> list[dict[str, Any]]:
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) for item in items):
        raise ValueError("it is no list of objects")
    return items


def _too_deep(value: Any, room: int = MAX_DEPTH) -> bool:
    if isinstance(value, dict):
        items: list[Any] = list(cast("dict[str, Any]", value).values())
    elif isinstance(value, list):
        items = cast("list[Any]", value)
    else:
        return False
    return room == 0 or any(_too_deep(item, room - 1) for item in items)


def _inner(text: str) -> str:
    fenced = _FENCE.match(text)
    return fenced.group(2) if fenced else text.strip()


def read_json(text: str) -> Any:
    """Return the JSON value that is the whole text, bare or inside one Markdown fence.

    Raises:
        ValueError: the text is anything else, or nests deeper than `MAX_DEPTH`.
    """
    try:
        value = msgspec.json.decode(_inner(text).encode())
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if _too_deep(value):
        raise ValueError(f"JSON is nested deeper than {MAX_DEPTH} levels")
    return value


def _looks_json(text: str) -> bool:
    inner = _inner(text)
    if not inner.startswith(("{", "[")):
        return False
    try:
        read_json(text)
    except ValueError:
        return False
    return True


def infer_shape(answers: Sequence[Answer], has_tools: bool) -> Shape:
    """Return the shape of a task's answers.

    tool: where tools were offered and at least 1 answer in 20 calls one (most of them call one,
    where no tools are known). json: most answers with text are a JSON object or array. A bare
    scalar such as `5` is a label, so text.
    """
    calling = sum(bool(answer.tool_calls) for answer in answers)
    if calling and calling >= len(answers) * (_TOOL_SHARE if has_tools else 0.5):
        return "tool"
    contents = [answer.text for answer in answers if answer.text and not answer.refusal]
    if contents and 2 * sum(map(_looks_json, contents)) > len(contents):
        return "json"
    return "text"


def _read_text(answer: Answer) -> dict[str, Any] | None:
    text = (answer.text or "").strip()
    return {"": text} if text and not answer.tool_calls else None


def _read_object(answer: Answer) -> dict[str, Any] | None:
    if answer.tool_calls or not answer.text:
        return None
    return flatten(read_json(answer.text))


def _arguments(call: ToolCall) -> dict[str, Any]:
    arguments: Any = read_json(call.arguments) if call.arguments.strip() else {}
    if not isinstance(arguments, dict):
        raise ValueError("the arguments are no object")
    return cast("dict[str, Any]", arguments)


def _read_tool(answer: Answer) -> dict[str, Any] | None:
    if len(answer.tool_calls) == 0:
        return {_TOOL: None} if answer.text else None
    if len(answer.tool_calls) > 1:
        calls = answer.tool_calls
        return {CALLS: [{"name": call.name, "arguments": _arguments(call)} for call in calls]}
    (call,) = answer.tool_calls
    return {_TOOL: call.name, **dict(_leaves(_arguments(call), f"/{escape(call.name)}"))}


_READERS = {"text": _read_text, "json": _read_object, "tool": _read_tool}


def read_answer(answer: Answer, shape: Shape) -> dict[str, Any] | None:
    """Return the flattened record of `answer`, or None when it is not of the shape.

    Refusals, filtered answers and invalid JSON are of no shape. text: {"": stripped text}. json:
    pointers to the leaves of the object. tool: {"/tool": name or None} and "/<tool>/<argument>" for
    each argument, or {"/calls": […]} for several calls; text beside them is not part of the record.
    """
    if answer.refusal or answer.finish_reason == "content_filter":
        return None
    try:
        return _READERS[shape](answer)
    except ValueError:
        return None


def same_value(a: Any, b: Any) -> bool:
    """Say whether two JSON values agree.

    Numbers are compared by value (1 and 1.0 agree, 1 and true do not), strings without the white
    space at their ends, lists item by item, objects field by field.
    """
    if isinstance(a, str) and isinstance(b, str):
        return a == b or a.strip() == b.strip()
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        left, right = cast("list[Any]", a), cast("list[Any]", b)
        return len(left) == len(right) and all(map(same_value, left, right))
    if isinstance(a, dict) and isinstance(b, dict):
        return same_record(cast("dict[str, Any]", a), cast("dict[str, Any]", b))
    return bool(a == b)


def same_record(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Say whether two records agree: the definition of agreement with the teacher.

    Every field has the same value; a null field and an absent one are the same.
    """
    return all(same_value(a.get(path), b.get(path)) for path in a.keys() | b.keys())


def _layout(inner: str, value: Any) -> tuple[int | None, tuple[str, str], bool] | None:
    for indent, separators in _LAYOUTS:
        for ascii_only in (False, True):
            written = json.dumps(
                value, indent=indent, separators=separators, ensure_ascii=ascii_only
            )
            if written == inner:
                return indent, separators, ascii_only
    return None


def _ranks(value: Any, prefix: str, ranks: dict[str, list[float]]) -> None:
    if not isinstance(value, dict):
        return
    fields = cast("dict[str, Any]", value)
    for at, (key, item) in enumerate(fields.items()):
        path = f"{prefix}/{escape(key)}"
        ranks.setdefault(path, []).append(at / len(fields))
        _ranks(item, path, ranks)


def style_of(contents: Sequence[str]) -> dict[str, Any]:
    """Return how most of the JSON texts were written, for `write_json`.

    {"fence": "```json" or "", "indent": int or None, "separators": [item, key], "ascii": bool,
    "key_order": pointers by their mean place among their siblings}. Texts that are not JSON are
    left out; without any, the style is Python's own.
    """
    layouts: Counter[tuple[int | None, tuple[str, str]]] = Counter()
    fences: Counter[str] = Counter()
    ascii_votes = 0
    ranks: dict[str, list[float]] = {}
    for text in contents[:_STYLE_SAMPLE]:
        try:
            value = read_json(text)
        except ValueError:
            continue
        fenced = _FENCE.match(text)
        fences[f"```{fenced.group(1)}" if fenced else ""] += 1
        _ranks(value, "", ranks)
        layout = _layout(_inner(text), value)
        if layout:
            layouts[layout[:2]] += 1
        if not text.isascii() or r"\u" in text:
            ascii_votes += 1 if text.isascii() else -1
    indent, separators = layouts.most_common(1)[0][0] if layouts else _LAYOUTS[0]
    means = {path: sum(places) / len(places) for path, places in ranks.items()}
    return {
        "fence": fences.most_common(1)[0][0] if fences else "",
        "indent": indent,
        "separators": list(separators),
        "ascii": ascii_votes > 0,
        "key_order": sorted(means, key=means.__getitem__),
    }


def _ordered(value: Any, prefix: str, rank: dict[str, int]) -> Any:
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value)
    paths = {key: f"{prefix}/{escape(key)}" for key in fields}
    keys = sorted(fields, key=lambda key: rank.get(paths[key], len(rank)))
    return {key: _ordered(fields[key], paths[key], rank) for key in keys}


def write_json(value: Any, style: dict[str, Any]) -> str:
    """Return the JSON text of `value` as `style_of` found it; keys it never saw come last."""
    rank = {path: at for at, path in enumerate(style.get("key_order", ()))}
    separators = style.get("separators") or _LAYOUTS[0][1]
    text = json.dumps(
        _ordered(value, "", rank),
        indent=style.get("indent"),
        separators=(separators[0], separators[1]),
        ensure_ascii=bool(style.get("ascii")),
    )
    fence = style.get("fence")
    return f"{fence}\n{text}\n```" if fence else text
