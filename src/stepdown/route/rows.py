"""One comparison: a request, and whether a cheaper model's answer to it was not good enough."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from stepdown.core.anatomy import Shape
from stepdown.core.calls import Answer, Message, Request
from stepdown.core.records import read_answer, same_record
from stepdown.core.tiering import task_type_of

__all__ = ["MOST_ROWS", "PROSE", "Compared", "Gathered", "agrees", "gathered", "prompted"]

MOST_ROWS = 20_000
"""The newest so many are learnt from: more cost memory and hardly change a linear score."""

PROSE = "prose, whose equality says nothing"
_SHORT = 64


class Compared(msgspec.Struct, frozen=True):
    """`hard`: the cheaper answer was not good enough; `source` says where that is known from."""

    request: Request
    hard: bool
    source: str


class Gathered(msgspec.Struct, frozen=True):
    """The comparisons found, and how many candidates were left out, by reason."""

    rows: tuple[Compared, ...] = ()
    skipped: dict[str, int] = {}


def gathered(found: Iterable[Compared | str]) -> Gathered:
    """Collect rows, and reasons why there was none."""
    rows: list[Compared] = []
    skipped: Counter[str] = Counter()
    for item in found:
        if isinstance(item, str):
            skipped[item] += 1
        else:
            rows.append(item)
    return Gathered(tuple(rows), dict(skipped))


def prompted(text: str) -> Request:
    """Return the request that a bare prompt stands for."""
    return Request(model="", messages=(Message("user", text),))


def agrees(request: Request, cheap: Answer, frontier: Answer, closed: bool) -> bool | str:
    """Say whether the cheaper answer is the frontier's, or why that can't be told.

    Tool calls and JSON are compared value by value, short answers without case and punctuation at
    their ends. `closed` says that the request asks for one of few answers, whatever it looks like.
    Prose that differs may be just as good: it is never compared.
    """
    if frontier.refusal or frontier.finish_reason == "content_filter":
        return "the frontier model refused"
    kind = task_type_of(request)
    if frontier.tool_calls:
        return _same(cheap, frontier, "tool")
    if kind == "schema" or (closed and _is_json(frontier)):
        return _same(cheap, frontier, "json")
    said = (frontier.text or "").strip()
    if not said or len(said) > _SHORT or "\n" in said or not (closed or kind == "labels"):
        # A tool that should not have been called is wrong all the same.
        return False if kind == "tools" and cheap.tool_calls else PROSE
    return not cheap.tool_calls and _plain(cheap.text or "") == _plain(said)


def _is_json(answer: Answer) -> bool:
    return (answer.text or "").lstrip().startswith(("{", "[", "```"))


def _same(cheap: Answer, frontier: Answer, shape: Shape) -> bool | str:
    wanted = read_answer(frontier, shape)
    if wanted is None:
        return "the frontier model's answer is not of the form asked for"
    found = read_answer(cheap, shape)
    return found is not None and same_record(found, wanted)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .,;:!\"'`*()[]")
