"""Comparisons in the gateway's own captured lines: two models' answers to one request.

A line says so itself (`student_answer` beside the frontier's response: an escalation, an audit or a
shadowed call), or names the line that it is the second answer to (`audit_of`).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from stepdown.core.calls import Answer
from stepdown.errors import InputError
from stepdown.route.rows import MOST_ROWS, Compared, agrees
from stepdown.wire.openai import parse_answer, parse_request

__all__ = ["AUDITED", "COMPARED", "ESCALATED", "compared_lines"]

AUDITED = "answered by a student and audited"
ESCALATED = "left or shadowed by a student"
COMPARED = "answered by two tiers"

_NO_ANSWER = "the cheaper model gave no answer"
_NULL = msgspec.Raw(b"null")
_UNREADABLE = "a line that can't be read"
_GONE = "the line that it is compared with is not there"
_ONE_TIER = "both answers are of one tier"
_MOST_BYTES = 256 * 1024 * 1024
_ORDER = ("small", "mid", "frontier")


class _About(msgspec.Struct, gc=False):
    tier: str = ""
    task: str = ""
    student_answer: Any = None
    audit_of: str | None = None


class _Line(msgspec.Struct, gc=False):
    id: str
    request: msgspec.Raw
    response: msgspec.Raw = _NULL
    stepdown: _About | None = None


_decode = msgspec.json.Decoder(_Line).decode


def compared_lines(lines: Callable[[], Iterable[bytes]]) -> Iterator[Compared | str]:
    """Yield the comparisons of captured native lines, or why a candidate is none.

    `lines` gives them anew each time, oldest first: they are read twice, and only the newest
    comparisons are held.
    """
    held = _newest(lines())
    wanted = {_second_of(line) for line in held if isinstance(line, _Line)} - {""}
    first = _by_id(lines(), wanted) if wanted else {}
    for line in held:
        yield line if isinstance(line, str) else _compared(line, first)


def _newest(lines: Iterable[bytes]) -> Iterable[_Line | str]:
    """Return the candidates, the oldest let go where there are too many or too large ones."""
    held: deque[tuple[int, _Line | str]] = deque()
    size = 0
    for data in lines:
        if b'"audit_of"' in data or b'"student_answer"' in data:
            held.append((len(data), _read(data)))
            size += len(data)
            while len(held) > MOST_ROWS or size > _MOST_BYTES:
                size -= held.popleft()[0]
    return [line for _, line in held]


def _second_of(line: _Line) -> str:
    """Return the id of the line that holds the other answer; "" where this one holds both."""
    about = line.stepdown
    if about is None or about.student_answer is not None:
        return ""
    return about.audit_of or ""


def _by_id(lines: Iterable[bytes], wanted: set[str]) -> dict[str, _Line]:
    found: dict[str, _Line] = {}
    for data in lines:
        line = _read(data)
        if isinstance(line, _Line) and line.id in wanted:
            found[line.id] = line
    return found


def _read(data: bytes) -> _Line | str:
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _UNREADABLE


def _compared(line: _Line, first: dict[str, _Line]) -> Compared | str:
    about = line.stepdown or _About()
    try:
        if about.student_answer is not None:
            cheap: Answer = msgspec.convert(about.student_answer, Answer)
            source = AUDITED if about.audit_of else ESCALATED
            return _judged(line, cheap, _answer(line), source)
        if not about.audit_of:
            return _NO_ANSWER
        other = first.get(about.audit_of)
        return _GONE if other is None else _two_tiers(line, other)
    except (InputError, msgspec.ValidationError, RecursionError):
        return _UNREADABLE


def _two_tiers(line: _Line, other: _Line) -> Compared | str:
    tiers = [(each.stepdown or _About()).tier for each in (line, other)]
    if tiers[0] == tiers[1] or not set(tiers) <= set(_ORDER):
        return _ONE_TIER
    cheap, dear = sorted((line, other), key=lambda x: _ORDER.index((x.stepdown or _About()).tier))
    return _judged(line, _answer(cheap), _answer(dear), COMPARED)


def _answer(line: _Line) -> Answer:
    if line.response == _NULL:
        raise InputError("The line has no answer; it is passed over.")
    return parse_answer(line.response)[0]


def _judged(line: _Line, cheap: Answer, dear: Answer, source: str) -> Compared | str:
    request = parse_request(bytes(line.request), documents=False)
    known = bool(line.stepdown and line.stepdown.task)
    same = agrees(request, cheap, dear, closed=known)
    return same if isinstance(same, str) else Compared(request, not same, source)
