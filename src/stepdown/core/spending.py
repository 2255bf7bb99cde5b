"""An audit over time and by name: spend by team, key and place, weeks, prompts replaced."""

import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from stepdown.core.audits import AuditReport
from stepdown.core.calls import DAY_S
from stepdown.core.tasks import Signature, Task

__all__ = ["Replaced", "Week", "by_name", "replaced", "weeks"]

_DAYS = 7
_MONDAY = 4
"""The first Monday is day 4 of the epoch, which began on a Thursday."""
_ALIKE = 0.6
_OVERLAP = 0.1
_WORD = re.compile(r"\w+")


class Week(msgspec.Struct, frozen=True):
    """The calls and the known spend of one week; `day` is its Monday, in days since the epoch."""

    day: int
    calls: int
    usd: float


class Replaced(msgspec.Struct, frozen=True):
    """A task whose prompt gave way to a similar one: ids of both, and the day of the change.

    `alike` is the Jaccard similarity of the two prompts' words.
    """

    old: str
    new: str
    day: int
    alike: float


def by_name(report: AuditReport, kind: str) -> list[tuple[str, float]]:
    """Return (name, US dollars over the log) of all tasks together, the largest first."""
    spent: Counter[str] = Counter()
    for task in report.tasks:
        spent.update(task.spend_by.get(kind, {}))
    return sorted(spent.items(), key=lambda item: (-item[1], item[0]))


def weeks(tasks: Sequence[Task]) -> list[Week]:
    """Return the weeks of the tasks together, in order; a week without a call is one with none."""
    calls: Counter[int] = Counter()
    usd: dict[int, float] = {}
    for task in tasks:
        for day, count, cost in task.daily:
            monday = day - (day - _MONDAY) % _DAYS
            calls[monday] += count
            usd[monday] = usd.get(monday, 0.0) + cost
    if not calls:
        return []
    first, last = min(calls), max(calls)
    return [Week(day, calls[day], usd.get(day, 0.0)) for day in range(first, last + 1, _DAYS)]


def replaced(tasks: Sequence[Task]) -> list[Replaced]:
    """Return the prompts that gave way to others: alike in most words, one after the other.

    They may overlap by a tenth of the shorter one's time, as a release takes its time.
    """
    found: list[Replaced] = []
    timed = [task for task in tasks if task.first_time is not None and task.last_time is not None]
    words = {task.id: _words(task.signature) for task in timed}
    for old in timed:
        followers = [
            (alike, new)
            for new in timed
            if new is not old
            and _follows(old, new)
            and (alike := _jaccard(words[old.id], words[new.id])) >= _ALIKE
        ]
        if followers:
            alike, new = max(followers, key=lambda pair: (pair[0], pair[1].id))
            found.append(Replaced(old.id, new.id, int((new.first_time or 0.0) // DAY_S), alike))
    return found


def _follows(old: Task, new: Task) -> bool:
    """Say whether one ended about when the other began."""
    if None in (old.first_time, old.last_time, new.first_time, new.last_time):
        return False
    began, ended = old.first_time or 0.0, old.last_time or 0.0
    started, stopped = new.first_time or 0.0, new.last_time or 0.0
    grace = _OVERLAP * min(ended - began, stopped - started)
    return began < started and ended <= started + grace and stopped > ended


def _words(signature: Signature) -> frozenset[str]:
    fragments = (*signature.system.fragments, *signature.user.fragments)
    return frozenset(word.lower() for text in fragments for word in _WORD.findall(text))


def _jaccard(one: frozenset[str], two: frozenset[str]) -> float:
    return len(one & two) / len(one | two) if one and two else 0.0
