"""Who trains, who calibrates, who tests: by group, near-duplicate cluster and time.

docs/decisions/0001-split.md says why repeats are left out of the held-out parts, 0017-drawn.md why
paid rows are held out only where they were drawn at random.
"""

import math
from collections import Counter
from collections.abc import Sequence

import msgspec

from stepdown.core.datasets import Example, Split
from stepdown.core.fingerprint import uniform
from stepdown.core.stats import rows_needed
from stepdown.core.tasks import input_text
from stepdown.label.clusters import cluster, crossing
from stepdown.label.heldout import Drawn, Frame, drawn
from stepdown.label.similarity import Sketches, normalised

__all__ = ["SIMILARITY", "Shares", "Splitting", "shares", "split_examples"]

SIMILARITY = (0.7, 0.8, 0.9, 1.0)
"""Levels from which inputs count as near-duplicates, in order of preference (1.0: equal alone)."""

_RANK: dict[Split, int] = {"train": 0, "calibration": 1, "test": 2}
_HEAVY_ROWS, _HEAVY_SHARE = 20, 0.02
_KEPT = 0.5
_TESTS = 0.2
_LATE = 0.2


class Shares(msgspec.Struct, frozen=True):
    """How many rows are wanted for calibration and test; the rest trains.

    `enough` held-out rows do, where what was drawn at random is less: they certify with 3 errors.
    """

    calibration: int
    test: int
    enough: int | None = None


class Splitting(msgspec.Struct, frozen=True):
    """The examples that were kept, each with its split and cluster, and what became of the rest.

    `dropped_barred` rows can only train, and could not where they stand: in a group that is held
    out, or after the test part began. `frame` is what the held-out rows are a sample of.
    """

    examples: tuple[Example, ...]
    by_time: bool
    similarity: float
    dropped_duplicates: int
    dropped_late: int
    dropped_barred: int = 0
    frame: Frame = "all"


class _Inputs(msgspec.Struct, frozen=True):
    """The rows' inputs: the place of each row's text in `sketches`, and its cluster at `level`."""

    sketches: Sketches
    places: list[int]
    clusters: list[int]
    level: float
    drawn: Drawn


class _Plan(msgspec.Struct):
    """The work in progress: one entry a row in each list. `split` None means left out.

    `worth` is how many rows a unit would add to a held-out part: one a cluster that may be there.
    """

    units: list[str]
    clusters: list[int]
    starts: dict[str, float]
    worth: Counter[str]
    split: list[Split | None]
    late: int = 0
    barred: int = 0


def shares(rows: int, budget: float, delta: float) -> Shares:
    """Return the wanted sizes of calibration and test for `rows` usable rows.

    Calibration decides how much of what the student can do is certified: at least enough rows for
    three errors where that is no more than 40 % of all, 20 % in general, and no more than 2,000 (or
    what ten errors take under a tighter budget), from where more certifies hardly more. Test is
    12 %, at most 1,500 rows: ± 2 points at the coverages that matter. All else trains.
    """
    floor = min(rows_needed(budget, delta, 3), int(0.4 * rows))
    most = max(2000, rows_needed(budget, delta, 10))
    test = min(max(30, round(0.12 * rows)), 1500, rows // 5)
    enough = math.ceil(rows_needed(budget, delta, 3) / (1.0 - _TESTS))
    return Shares(min(max(floor, rows // 5), most), test, enough)


def split_examples(examples: Sequence[Example], wanted: Shares) -> Splitting:
    """Split the examples so that no input, near-duplicate or group stands on two sides.

    A group (else a near-duplicate cluster) goes to one side as a whole. Where times exist, the test
    part is the latest, nothing trained is younger, and calibration is what began just before it;
    else the sides are random. What repeats most trains. Held-out parts keep one row of a cluster.
    Inputs count as near-duplicates from the strictest level of `SIMILARITY` that leaves half of the
    wanted rows to hold out: where inputs share one long frame, stricter ones would leave none.
    Rows that were chosen or made up only train, and what is like them is not held out either.
    """
    texts = [normalised(input_text(example.input)) for example in examples]
    distinct = list(dict.fromkeys(texts))
    place = {text: at for at, text in enumerate(distinct)}
    inputs = [place[text] for text in texts]
    sketches = Sketches(distinct)
    made = None
    for level in SIMILARITY:
        clusters = cluster(sketches, level) if level < 1.0 else list(range(len(distinct)))
        belongs = [clusters[at] for at in inputs]
        able = drawn(examples, belongs, wanted.enough or wanted.calibration + wanted.test)
        inputs_of = _Inputs(sketches, inputs, belongs, level, able)
        fit = _fitted(wanted, able)
        for by_time in (True, False) if _timed(examples) else (False,):
            made = _attempt(examples, inputs_of, fit, by_time)
            if not _enough(made, fit):
                continue
            # What repeats leave out of a held-out part is made up for by asking for more.
            more = _stretched(fit, made)
            again = _attempt(examples, inputs_of, more, by_time) if more != fit else made
            return again if _enough(again, fit) else made
    assert made is not None
    return made


def _fitted(wanted: Shares, able: Drawn) -> Shares:
    """Return what can be wanted where only some rows may be held out: most of those certify."""
    if able.frame == "all":
        return wanted
    test = min(wanted.test, int(_TESTS * able.clusters))
    return Shares(min(wanted.calibration, able.clusters - test), test, wanted.enough)


def _stretched(wanted: Shares, made: Splitting) -> Shares:
    counts = Counter(example.split for example in made.examples)

    def more(want: int, got: int) -> int:
        return max(want, min(2 * want, want * want // got)) if got < 0.98 * want else want

    return Shares(
        more(wanted.calibration, counts["calibration"]),
        more(wanted.test, counts["test"]),
        wanted.enough,
    )


def _timed(examples: Sequence[Example]) -> bool:
    # What was made up has no time; it trains, at whatever time that is.
    rows = [example for example in examples if example.origin != "synthetic"]
    times = [example.time for example in rows if example.time is not None]
    return len(times) == len(rows) and len(set(times)) >= max(3, len(rows) // 2)


def _enough(made: Splitting, wanted: Shares) -> bool:
    counts = Counter(example.split for example in made.examples)
    held = all(
        counts[part] >= _KEPT * size
        for part, size in (("calibration", wanted.calibration), ("test", wanted.test))
    )
    lost = made.dropped_late + made.dropped_barred
    late = lost > _LATE * (len(made.examples) + lost)
    return held and counts["train"] > 0 and not late


def _attempt(
    examples: Sequence[Example], inputs: _Inputs, wanted: Shares, by_time: bool
) -> Splitting:
    plan = _plan(examples, inputs)
    _assign(plan, examples, wanted, by_time)
    _bar(plan, inputs.drawn.able)
    _one_side(plan, examples)
    if inputs.level < 1.0:
        _apart(plan, inputs)
    kept = tuple(
        msgspec.structs.replace(example, split=part, cluster=f"{plan.clusters[at]:x}")
        for at, (example, part) in enumerate(zip(examples, plan.split, strict=True))
        if part is not None
    )
    left = len(examples) - len(kept) - plan.late - plan.barred
    frame = inputs.drawn.frame
    return Splitting(kept, by_time, inputs.level, left, plan.late, plan.barred, frame)


def _plan(examples: Sequence[Example], inputs: _Inputs) -> _Plan:
    clusters = inputs.clusters
    # One group for all rows tells nothing apart: it is a tenant's or an app's name.
    grouped = len({example.group for example in examples}) > 1
    units = [
        f"g{example.group}" if grouped and example.group else f"c{clusters[at]}"
        for at, example in enumerate(examples)
    ]
    starts: dict[str, float] = {}
    for unit, example in zip(units, examples, strict=True):
        time = example.time or 0.0
        starts[unit] = min(time, starts.get(unit, time))
    rows = zip(units, clusters, inputs.drawn.able, strict=True)
    worth = Counter(unit for unit, _, able in set(rows) if able)
    # A cluster with a row that only trains goes where that row goes; of a group, the row stays out.
    for unit, example in zip(units, examples, strict=True):
        if unit.startswith("c") and example.origin in ("chosen", "synthetic"):
            worth[unit] = 0
    return _Plan(units, clusters, starts, worth, [None] * len(examples))


def _assign(plan: _Plan, examples: Sequence[Example], wanted: Shares, by_time: bool) -> None:
    """Give each unit a side; drop what trains or calibrates after the test part has begun."""
    rows, worth = Counter(plan.units), plan.worth
    heavy = max(_HEAVY_ROWS, _HEAVY_SHARE * len(examples))
    # The coin is tossed on the unit's first row: cluster numbers depend on the order of the log.
    names = {unit: examples[at].id for at, unit in reversed(list(enumerate(plan.units)))}
    coins = {unit: uniform(name) for unit, name in names.items()}
    order = sorted(rows, key=lambda unit: (coins[unit], unit))
    sides: dict[str, Split] = {}
    begin = float("inf")
    usable = [unit for unit in order if worth[unit]]
    latest = sorted(usable, key=lambda unit: -plan.starts[unit])
    if by_time:
        taken = _take(latest, worth, wanted.test)
        begin = plan.starts[taken[-1]] if taken else begin
        sides = {unit: "test" for unit in order if plan.starts[unit] >= begin}
    # Both held-out parts are drawn by one rule, or the one would not speak for the other: with
    # times they are the inputs that were new in their days, else a random part of all inputs.
    pool = latest if by_time else usable
    light = [unit for unit in pool if unit not in sides and rows[unit] <= heavy]
    if not by_time:
        sides = dict.fromkeys(_take(light, worth, wanted.test), "test")
        light = [unit for unit in light if unit not in sides]
    sides |= dict.fromkeys(_take(light, worth, wanted.calibration), "calibration")
    for at, unit in enumerate(plan.units):
        side = sides.get(unit, "train")
        if side != "test" and (examples[at].time or 0.0) >= begin:
            plan.late += 1
        else:
            plan.split[at] = side


def _bar(plan: _Plan, able: Sequence[bool]) -> None:
    """Leave out of the held-out parts what may not stand there."""
    for at, part in enumerate(plan.split):
        if part not in ("train", None) and not able[at]:
            plan.split[at] = None
            plan.barred += 1


def _take(units: Sequence[str], worth: Counter[str], rows: int) -> list[str]:
    taken: list[str] = []
    for unit in units:
        if rows <= 0:
            break
        taken.append(unit)
        rows -= worth[unit]
    return taken


def _one_side(plan: _Plan, examples: Sequence[Example]) -> None:
    """Leave each cluster on one side: train before calibration before test; there one row of it."""
    best: dict[int, tuple[int, float, int]] = {}
    for at, part in enumerate(plan.split):
        if part is not None:
            rank = (_RANK[part], uniform(examples[at].id), at)
            best[plan.clusters[at]] = min(rank, best.get(plan.clusters[at], rank))
    for at, part in enumerate(plan.split):
        if part is None:
            continue
        rank, _, chosen = best[plan.clusters[at]]
        if _RANK[part] != rank or (rank and at != chosen):
            plan.split[at] = None


def _apart(plan: _Plan, inputs: _Inputs) -> None:
    """Leave out held-out rows that are near-duplicates of a row of an earlier side."""
    by_side: dict[Split, dict[int, int]] = {"train": {}, "calibration": {}, "test": {}}
    for at, part in enumerate(plan.split):
        if part is not None:
            by_side[part][inputs.places[at]] = at
    others: list[int] = []
    sides: tuple[tuple[Split, Split], ...] = (("train", "calibration"), ("calibration", "test"))
    for earlier, part in sides:
        others.extend(by_side[earlier])
        for place in crossing(inputs.sketches, list(by_side[part]), others, inputs.level):
            plan.split[by_side[part].pop(place)] = None
