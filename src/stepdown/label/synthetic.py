"""Inputs that are made up where the log is thin: which kinds, and which of them are worth a label.

A teacher writes them, after real ones, for one label or one set of values each. What is hard to
read is made of what it wrote by rules, for nothing. None is kept that is like an input of the log
or another one, or that lacks the values it was to have.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from stepdown.core.align import align
from stepdown.core.anatomy import Anatomy
from stepdown.core.datasets import Example
from stepdown.core.fingerprint import canonical_json, digest, uniform
from stepdown.label.clusters import cluster
from stepdown.label.similarity import Sketches, normalised

__all__ = ["SCENARIOS", "Order", "Scenario", "Sifted", "Written", "noisy", "orders", "sifted"]

Scenario = Literal["plain", "indirect", "disfluent", "garbled", "near_miss", "none"]

SCENARIOS: Mapping[Scenario, tuple[float, str]] = {
    "plain": (0.3, "says plainly what it wants, as most of the examples do"),
    "indirect": (0.15, "never names what it wants: it tells of a situation that implies it"),
    "disfluent": (0.15, "says plainly what it wants"),
    "garbled": (0.15, "says plainly what it wants"),
    "near_miss": (0.15, "sounds like this at first, but is about something closely related"),
    "none": (0.1, "is what such a service gets that belongs to none of its cases"),
}
"""Of each kind its part of the whole, and what the teacher is told of it."""

_BATCH = 10
_SHOTS = 6
_ALIKE = 0.7
_LONGER = 4
_PAUSES = ("um", "uh", "er", "well", "you know", "I mean", "like", "so", "hmm", "sorry")


class Order(msgspec.Struct, frozen=True):
    """What a teacher is asked to write: one input for each of the `wanted` values, of one kind.

    `wanted` has for each the fields it is to be grounded in, by path: a label, values that must
    stand in it. `shots` are real inputs to go by, and `shown` the ids of whose they are.
    """

    scenario: Scenario
    wanted: tuple[dict[str, Any], ...]
    shots: tuple[str, ...]
    shown: tuple[str, ...] = ()


class Written(msgspec.Struct, frozen=True):
    """One made-up input, and the values that must stand in it."""

    scenario: Scenario
    text: str
    values: tuple[Any, ...] = ()

    @property
    def item(self) -> str:
        """Its id in the ledger and in a dataset."""
        return f"synthetic-{digest(canonical_json([self.scenario, self.text]))[:16]}"


class Sifted(msgspec.Struct, frozen=True):
    """What was kept, and of each kind how many were `asked` for, `kept`, and dropped, by why."""

    kept: tuple[Written, ...]
    counts: Mapping[Scenario, Mapping[str, int]]


def orders(
    anatomy: Anatomy, rows: Sequence[tuple[str, Example]], count: int, name: str
) -> list[Order]:
    """Return what to order for `count` inputs: the same for the same rows and `name`.

    `rows` are real inputs, as texts and as examples. The labels that have fewest come first, and
    the values of copied fields are those of real answers.
    """
    rng = random.Random(name)
    rows = sorted(rows, key=lambda row: uniform(f"{name} {row[1].id}"))
    targets = _targets(anatomy, [row for _, row in rows])
    found: list[Order] = []
    made = 0
    for scenario, size in _sizes(count).items():
        while size > 0:
            number = min(size, _BATCH)
            size -= number
            places = range(made, made + number)
            made += number
            wanted: tuple[dict[str, Any], ...] = tuple(
                {} if scenario == "none" else targets[at % len(targets)] for at in places
            )
            shots = _shots(rows, wanted, rng)
            texts, ids = (tuple(row[at] for row in shots) for at in (0, 1))
            found.append(Order(scenario, wanted, texts, ids))
    return found


def _sizes(count: int) -> dict[Scenario, int]:
    """Part the count among the kinds; what is left over goes to the largest remainders."""
    exact: dict[Scenario, float] = {
        scenario: count * share for scenario, (share, _) in SCENARIOS.items()
    }
    sizes: dict[Scenario, int] = {scenario: int(size) for scenario, size in exact.items()}
    rest = sorted(exact, key=lambda scenario: sizes[scenario] - exact[scenario])
    for scenario in rest[: count - sum(sizes.values())]:
        sizes[scenario] += 1
    return sizes


def _targets(anatomy: Anatomy, rows: Sequence[Example]) -> list[dict[str, Any]]:
    """Return what an input can be asked for, rarest first: closed values with copied ones."""
    closed = [field for field in anatomy.fields if field.kind == "choice"]
    copied = [field.path for field in anatomy.fields if field.kind == "copy" and not field.many]
    if any(field.path for field in anatomy.fields):
        whole = [_given(row.record, [field.path for field in closed], copied) for row in rows]
        found = [record for record in whole if record]
    else:
        found = [{"": value} for field in closed for value in field.values]
    root = closed[0].path if closed else ""
    seen = Counter(canonical_json(row.record.get(root)) for row in rows)
    order = sorted(found, key=lambda record: seen[canonical_json(record.get(root))])
    return order or [{}]


def _given(
    record: Mapping[str, Any], closed: Sequence[str], copied: Sequence[str]
) -> dict[str, Any]:
    return {path: record[path] for path in (*closed, *copied) if record.get(path) is not None}


def _shots(
    rows: Sequence[tuple[str, Example]], wanted: Sequence[Mapping[str, Any]], rng: random.Random
) -> list[tuple[str, str]]:
    """Return real inputs to go by, with their ids: half with a wanted record, if so many have."""
    keys = {canonical_json(record) for record in wanted}
    own = [(text, row.id) for text, row in rows if canonical_json(row.record) in keys]
    others = [(text, row.id) for text, row in rows if canonical_json(row.record) not in keys]
    near = rng.sample(own, min(len(own), _SHOTS // 2))
    return near + rng.sample(others, min(len(others), _SHOTS - len(near)))


def sifted(
    anatomy: Anatomy,
    answers: Sequence[tuple[Order, Sequence[str]]],
    real: Sequence[str],
    before: Sequence[str] = (),
) -> Sifted:
    """Return what is worth a label of what was written, in the order in which it was ordered.

    `real` are texts of the log, `before` earlier made-up ones: what is like one of them is dropped,
    as is what is empty, far longer than any of the log, or without its values.
    """
    counts: dict[Scenario, Counter[str]] = {}
    longest = _LONGER * max(map(len, real), default=500)
    copied = {field.path for field in anatomy.fields if field.kind == "copy"}
    sound: list[Written] = []
    for order, texts in answers:
        count = counts.setdefault(order.scenario, Counter())
        count["asked"] += len(order.wanted)
        count["missing"] += max(0, len(order.wanted) - len(texts))
        for record, text in zip(order.wanted, texts, strict=False):
            values = tuple(value for path, value in record.items() if path in copied)
            told = noisy(text.strip(), order.scenario, values)
            if not told or len(told) > longest:
                count["unfit"] += 1
            elif not all(align(value, told) for value in values):
                count["ungrounded"] += 1
            else:
                sound.append(Written(order.scenario, told, values))
    fresh = _fresh([one.text for one in sound], [*real, *before])
    kept = [one for one, new in zip(sound, fresh, strict=True) if new]
    for one, new in zip(sound, fresh, strict=True):
        counts[one.scenario]["kept" if new else "duplicate"] += 1
    return Sifted(tuple(kept), counts)


def _fresh(texts: Sequence[str], known: Sequence[str]) -> list[bool]:
    """Say of each text whether it is unlike all that are known, and unlike those before it."""
    sketches = Sketches([normalised(text) for text in (*known, *texts)])
    belongs = cluster(sketches, _ALIKE)
    return [belongs[at] == at for at in range(len(known), len(belongs))]


def noisy(text: str, scenario: Scenario, values: Sequence[Any] = ()) -> str:
    """Return the text as it is said haltingly, or typed badly; other kinds stay as they are.

    The same text always gets the same noise. Words of the `values` are left alone.
    """
    if scenario not in ("disfluent", "garbled"):
        return text
    rng = random.Random(f"{scenario} {text}")
    sacred = {word for value in values for word in str(value).casefold().split()}
    words = text.split()
    spoilt = _halting if scenario == "disfluent" else _mistyped
    return " ".join(
        word if word.casefold().strip(".,;:!?") in sacred else spoilt(rng, word) for word in words
    )


def _halting(rng: random.Random, word: str) -> str:
    coin = rng.random()
    if coin < 0.18:
        return f"{rng.choice(_PAUSES)}, {word}"
    if coin < 0.28:
        return f"{word} {word}"
    return f"{word[: max(1, len(word) // 2)]}- {word}" if coin < 0.36 else word


def _mistyped(rng: random.Random, word: str) -> str:
    if len(word) < 4 or rng.random() < 0.55:
        return word
    at = rng.randrange(1, len(word) - 1)
    return rng.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at] + word[at:],
            word[:at] + " " + word[at:],
        )
    )
