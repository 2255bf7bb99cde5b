"""Several answers to one item: the one that most agree on, or none (decision 0018)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from stepdown.core.calls import TEACHERS, Answer, Call
from stepdown.core.datasets import Example
from stepdown.core.labels import SECOND, TOLD, Label, Outcome
from stepdown.core.records import same_record, same_value
from stepdown.label.outcomes import Judge, Worth

__all__ = ["Ballot", "Vote", "agree", "settled"]

_NO_OPINION = ("refused", "unreadable", "off_schema")


class Vote(msgspec.Struct, frozen=True):
    """One answer of one teacher, and what it is worth."""

    teacher: str
    worth: Worth
    answer: Answer = Answer()


def settled(votes: Sequence[Vote]) -> Vote:
    """Return the vote that stands for all of them; its outcome is "disputed" where none does.

    A teacher has one voice, however often it was asked: what more than half of its own answers
    say. The label of more than half of the voices stands; failing that, the record given whose
    every field more than half of them have. A refusal and an answer that can't be read are no
    opinions: they count where there is nothing else. No record stands that nobody gave.
    """
    teachers = dict.fromkeys(vote.teacher for vote in votes)
    voices = [
        voice
        for name in teachers
        if (voice := _majority([vote for vote in votes if vote.teacher == name])) is not None
    ]
    found = _majority(voices) if voices else None
    return found or Vote("", Worth("disputed", why="Its answers contradict each other."))


def _majority(votes: Sequence[Vote]) -> Vote | None:
    """Return a vote that more than half agree with, by record or field by field; else None."""
    opinions = [vote for vote in votes if vote.worth.outcome not in _NO_OPINION] or votes
    most = max(opinions, key=lambda vote: _agreeing(vote, opinions))
    if 2 * _agreeing(most, opinions) > len(opinions):
        return most
    labels = [vote for vote in opinions if vote.worth.outcome == "answered"]
    return next((vote for vote in labels if _by_fields(vote, opinions)), None)


def _agreeing(vote: Vote, votes: Sequence[Vote]) -> int:
    return sum(agree(vote.worth, other.worth) for other in votes)


def agree(a: Worth, b: Worth) -> bool:
    """Say whether two answers are worth the same: the same label, or none for the same reason."""
    return a.outcome == b.outcome and same_record(a.record, b.record)


def _by_fields(vote: Vote, votes: Sequence[Vote]) -> bool:
    """Say whether more than half of the votes have each field as this one has it."""
    labels = [other.worth.record for other in votes if other.worth.outcome == "answered"]
    paths = {path for record in labels for path in record}
    return all(2 * _with(path, vote.worth.record, labels) > len(votes) for path in paths)


def _with(path: str, record: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> int:
    return sum(same_value(record.get(path), other.get(path)) for other in records)


class Ballot:
    """What the paid labels of a task, by call, say of its calls.

    `outcomes` has what became of each call that was settled and has no label.
    """

    def __init__(self, labels: Mapping[str, Sequence[Label]], judge: Judge | None) -> None:
        self._labels = labels
        self._judge = judge
        self._teachers = {label.teacher for several in labels.values() for label in several}
        self.outcomes: dict[str, Outcome] = {}

    def labels(self, call: str) -> Sequence[Label]:
        """Return the paid labels of the call of that id."""
        return self._labels.get(call, ())

    def settle(self, call: Call, text: str) -> Vote | None:
        """Return the answer that stands for the call; None where nothing was paid for.

        The logged answer has a voice where it is a paid teacher's: that of another model gives way.
        """
        paid = self.labels(call.id)
        if not paid or self._judge is None:
            return None
        votes = [self._vote(one, text) for one in paid if one.repeat != SECOND]
        model = next((m for m in (call.model, call.request.model) if m in self._teachers), None)
        if model is not None and call.tier in TEACHERS:
            votes.insert(0, Vote(model, self._judge(text, call.answer), call.answer))
        found = settled(votes) if votes else Vote("", Worth("disputed"))
        # The same question in our own words is no vote but a check: nobody outvotes it.
        checks = [self._vote(one, text) for one in paid if one.repeat == SECOND]
        if not all(agree(found.worth, check.worth) for check in checks):
            found = Vote(
                "", Worth("disputed", why="In other words the question has another answer.")
            )
        if found.worth.outcome != "answered":
            self.outcomes[call.id] = found.worth.outcome
        return found

    def _vote(self, label: Label, text: str) -> Vote:
        assert self._judge is not None
        return Vote(label.teacher, self._judge(text, label.answer), label.answer)

    def notes(self, examples: Sequence[Example]) -> Iterator[str]:
        """Say how many of the split examples have no label, and what that means for each part."""
        for outcome in dict.fromkeys(sorted(self.outcomes.values())):
            rows = [e for e in examples if self.outcomes.get(e.id) == outcome]
            held = sum(e.split != "train" for e in rows)
            if rows:
                yield (
                    f"{len(rows):,} rows with paid answers have no label ({TOLD[outcome]}): "
                    f"{len(rows) - held:,} teach no answer, and of {held:,} held-out ones any "
                    "answer counts as wrong."
                )
