"""Comparisons in files: rows of a prompt and what several models made of it.

`{"prompt" or "request": …, "models": {name: {"correct": 0 or 1, or "score": x}}}`, one a line.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from stepdown.core.calls import Request
from stepdown.errors import InputError, UsageError
from stepdown.route.rows import Compared, prompted
from stepdown.wire.openai import parse_request

__all__ = ["FILE", "Judged", "compared_rows", "read_judged"]

FILE = "comparison files"

_NONE = msgspec.Raw()


class Judged(msgspec.Struct, frozen=True):
    """One request with each model's score."""

    request: Request
    scores: dict[str, float]


class _Outcome(msgspec.Struct, gc=False):
    score: float | None = None
    correct: float | bool | None = None


class _Row(msgspec.Struct, gc=False):
    models: dict[str, _Outcome]
    prompt: str | None = None
    request: msgspec.Raw = _NONE


_decode = msgspec.json.Decoder(_Row).decode


def read_judged(lines: Iterable[bytes | str]) -> Iterator[Judged | str]:
    """Yield the rows of comparison lines, or why a line is none; a str in is passed on."""
    for line in lines:
        yield line if isinstance(line, str) else _judged(line)


def _judged(data: bytes) -> Judged | str:
    try:
        row = _decode(data)
        request = _request(row)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InputError):
        return "a line that is no comparison"
    scores = {name: _score(outcome) for name, outcome in row.models.items()}
    return Judged(request, {name: score for name, score in scores.items() if score is not None})


def _request(row: _Row) -> Request:
    if row.request:
        return parse_request(bytes(row.request), documents=False)
    if row.prompt is None:
        raise InputError("The row has neither a prompt nor a request; it is passed over.")
    return prompted(row.prompt)


def _score(outcome: _Outcome) -> float | None:
    found = outcome.correct if outcome.score is None else outcome.score
    return None if found is None else float(found)


def compared_rows(
    rows: Iterable[Judged | str], weak: str | None, strong: str | None
) -> list[Compared | str]:
    """Return what the `weak` model's answers to the rows say: hard where `strong` did better.

    Raises:
        InputError: not one row is a comparison.
        UsageError: the two models are not named, are one, or no row has both.
    """
    read = list(rows)
    judged = [row for row in read if isinstance(row, Judged)]
    if not judged:
        why = Counter(row for row in read if isinstance(row, str)).most_common(1)
        raise InputError(
            f"No comparison could be read ({why[0][0] if why else 'there are no lines'}); each "
            "line needs a `prompt` or a `request`, and `models` with "
            '{"correct": …} or {"score": …} for each.'
        )
    counts = Counter(name for row in judged for name in row.scores)
    if weak is None or strong is None or weak == strong:
        raise UsageError(
            f"Say with --weak and --strong which two models to compare; {_known(counts)}."
        )
    for name in (weak, strong):
        if name not in counts:
            raise UsageError(f"No comparison has a model {name!r}; {_known(counts)}.")
    return [row if isinstance(row, str) else _compared(row, weak, strong) for row in read]


def _compared(row: Judged, weak: str, strong: str) -> Compared | str:
    if weak not in row.scores or strong not in row.scores:
        return "a comparison without one of the two models"
    return Compared(row.request, row.scores[strong] > row.scores[weak], FILE)


def _known(counts: Counter[str]) -> str:
    names: Sequence[Any] = [name for name, _ in counts.most_common(8)]
    return f"the files have {', '.join(sorted(names)) or 'none'}"
