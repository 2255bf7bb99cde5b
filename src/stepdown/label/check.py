"""Counting a split from scratch, without a look at how it was made (C-1)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from stepdown.core.datasets import Example, Split, SplitReport
from stepdown.core.tasks import input_text
from stepdown.label.clusters import crossing
from stepdown.label.similarity import Sketches, normalised
from stepdown.label.split import SIMILARITY

__all__ = ["check_split"]

_SPLITS: tuple[Split, ...] = ("train", "calibration", "test")


def check_split(examples: Sequence[Example], similarity: float = SIMILARITY[1]) -> SplitReport:
    """Recount what stands on both sides of any two splits.

    `shared_inputs` counts distinct inputs, equal but for case and white space; `shared_clusters`
    distinct inputs of one split that are at least `similarity` alike to one of another, or clusters
    that stand in two; `shared_groups` groups. `by_time`: no test row is older than any other row.
    """
    texts = [normalised(input_text(example.input)) for example in examples]
    groups = {example.group for example in examples if example.group}
    # One group for all rows tells nothing apart, and the split ignored it.
    constant = len(groups) == 1 and all(example.group for example in examples)
    sizes = Counter(example.split for example in examples)
    clusters = {example.cluster for example in examples if example.cluster}
    return SplitReport(
        train=sizes["train"],
        calibration=sizes["calibration"],
        test=sizes["test"],
        clusters=len(clusters),
        groups=len(groups),
        by_time=_by_time(examples),
        shared_inputs=_shared(zip(texts, (e.split for e in examples), strict=True)),
        shared_clusters=_alike(examples, texts, similarity),
        shared_groups=0 if constant else _shared((e.group, e.split) for e in examples if e.group),
        similarity=similarity,
        largest_group=_largest(example.group for example in examples),
    )


def _shared(pairs: Iterable[tuple[str, Split]]) -> int:
    sides: defaultdict[str, set[Split]] = defaultdict(set)
    for name, part in pairs:
        sides[name].add(part)
    return sum(len(parts) > 1 for parts in sides.values())


def _largest(groups: Iterable[str]) -> float:
    counts = Counter(groups)
    rows = max(counts.total(), 1)
    return max((count for name, count in counts.items() if name), default=0) / rows


def _by_time(examples: Sequence[Example]) -> bool:
    examples = [example for example in examples if example.origin != "synthetic"]
    if any(example.time is None for example in examples):
        return False
    tests = [example.time or 0.0 for example in examples if example.split == "test"]
    others = [example.time or 0.0 for example in examples if example.split != "test"]
    return bool(tests and others) and min(tests) >= max(others) and len({*tests, *others}) > 1


def _alike(examples: Sequence[Example], texts: Sequence[str], similarity: float) -> int:
    clusters = _shared((e.cluster, e.split) for e in examples if e.cluster)
    if similarity >= 1.0:
        return clusters
    distinct = list(dict.fromkeys(texts))
    place = {text: at for at, text in enumerate(distinct)}
    sides = {part: set[int]() for part in _SPLITS}
    for text, example in zip(texts, examples, strict=True):
        sides[example.split].add(place[text])
    sketches = Sketches(distinct)
    alike: set[int] = set()
    for part in ("calibration", "test"):
        others = set[int]().union(*(rows for side, rows in sides.items() if side != part))
        alike |= crossing(sketches, sorted(sides[part]), sorted(others), similarity)
    return max(clusters, len(alike))
