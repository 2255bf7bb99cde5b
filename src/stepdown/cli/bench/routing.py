"""Routing between two models, by RouteLLM's protocol: a weak one, a strong one, one bit a prompt.

The training split fits the score, chooses k and decides nothing else; the test split is read once.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from stepdown.cli.bench.figures import Figure
from stepdown.cli.bench.routers import nearest, redrawn, verdict
from stepdown.cli.sets import read_set
from stepdown.core.ports import Progress
from stepdown.errors import InputError
from stepdown.route.curves import Curve, aiq, apgr, cpt, exact_curve, quantile_curve
from stepdown.route.features import GRAMS, SHAPE, Vectors
from stepdown.route.learn import Learned, learn
from stepdown.route.quality import auroc, auroc_interval, brier, calibration_error
from stepdown.route.rows import Compared, prompted
from stepdown.route.score import inputs_of
from stepdown.students.static import find_static

__all__ = ["Pair", "pair_of", "routing_mmlu"]

WEAK, STRONG = "mixtral-8x7b-instruct-v0.1", "gpt-4-1106-preview"
NEIGHBOURS = (20, 50, 100, 200, 400)
Floats = NDArray[np.float64]


class Pair(msgspec.Struct, frozen=True):
    """One split: the comparisons, and both models' qualities of each row."""

    rows: tuple[Compared, ...]
    weak: Floats
    strong: Floats

    @property
    def hard(self) -> Floats:
        """Where the strong model did better: 1, else 0."""
        return (self.strong > self.weak).astype(float)

    @property
    def gain(self) -> Floats:
        """How much better the strong model did."""
        return self.strong - self.weak


def pair_of(data: Path, name: str, split: str, weak: str, strong: str) -> Pair:
    """Return one split of a routing set, without the rows that are marked as contaminated.

    Raises:
        InputError: the set is not there, or has no rows of that split.
    """
    rows: list[Compared] = []
    scores: list[tuple[float, float]] = []
    for row in read_set(data, name, split):
        if row.get("contaminated"):
            continue
        low, high = (_score(row["models"][model]) for model in (weak, strong))
        rows.append(Compared(prompted(row["prompt"]), high > low, name))
        scores.append((low, high))
    if not rows:
        raise InputError(f"Data set {name} has no rows of split {split}; fetch it anew.")
    both = np.array(scores, float)
    return Pair(tuple(rows), both[:, 0], both[:, 1])


def _score(outcome: dict[str, Any]) -> float:
    return float(outcome["score"] if "score" in outcome else outcome["correct"])


def routing_mmlu(data: Path, progress: Progress) -> Sequence[Figure]:
    """Route MMLU's questions between Mixtral-8x7B and GPT-4-1106."""
    train = pair_of(data, "routellm_mmlu", "train", WEAK, STRONG)
    vectors = find_static()
    learned = learn(train.rows, vectors, progress)
    # Its twin: the chance that the weak model's answer is the better one.
    twin = learn(_turned(train), vectors, progress)
    progress("choosing k", 0, 0)
    with threadpool_limits(1):
        known = _embedded(train.rows, vectors)
        k = _best_k(known, train)
        test = pair_of(data, "routellm_mmlu", "test", WEAK, STRONG)
        near = nearest(_embedded(test.rows, vectors), known, k)
    scores = _asked(learned, test.rows)
    routers = {
        "ours, the complexity score": scores,
        f"kNN of the gain, k = {k}": train.gain[near].mean(axis=1),
        "ours less the chance that the weak model is better": scores - _asked(twin, test.rows),
        "random": np.random.default_rng(0).random(len(test.rows)),
        "oracle": test.gain,
    }
    return [
        *_whole(data),
        *_singles(test),
        *_areas(routers, test),
        *_mean_quality(routers, test),
        *_costs(routers, test),
        *_calibration(scores, test, learned),
        _against_neighbours(routers, test),
        _time(learned, test.rows[:1000]),
    ]


def _time(learned: Learned, rows: Sequence[Compared]) -> Figure:
    """Time one score, features included, by the processor's clock."""
    began = time.process_time_ns()
    for row in rows:
        learned.score(row.request)
    each = (time.process_time_ns() - began) / 1000 / len(rows)
    return Figure(
        "one score, microseconds of processor time",
        f"{each:.0f} µs",
        each,
        200,
        True,
        note=f"mean of {len(rows):,}, static vectors {'in' if learned.score.vectors else 'not in'}",
    )


def _turned(pair: Pair) -> list[Compared]:
    """Return the rows with hard where the weak model did better."""
    better = pair.weak > pair.strong
    return [
        msgspec.structs.replace(row, hard=bool(turned))
        for row, turned in zip(pair.rows, better, strict=True)
    ]


def _asked(learned: Learned, rows: Sequence[Compared]) -> Floats:
    """Return the scores, each asked for as the gateway asks."""
    return np.array([learned.score(row.request) or 0.0 for row in rows])


def _embedded(rows: Sequence[Compared], vectors: Vectors | None) -> NDArray[np.float32]:
    """Return the rows' words alone: kNN has no use for lengths and counts."""
    start = len(SHAPE) + (GRAMS if vectors else 0)
    return np.array([inputs_of(row.request, vectors)[start:] for row in rows])


def _best_k(known: NDArray[np.float32], train: Pair) -> int:
    """Return the k with the best APGR on a fifth of the training rows, by the other four."""
    held = np.arange(len(train.rows)) % 5 == 0
    order = nearest(known[held], known[~held], max(NEIGHBOURS))
    gain = train.gain[~held]

    def area(k: int) -> float:
        scores = gain[order[:, :k]].mean(axis=1)
        return apgr(quantile_curve(scores, train.weak[held], train.strong[held]))

    return max(NEIGHBOURS, key=area)


def _whole(data: Path) -> list[Figure]:
    """Return the oracle on all rows: the check of this code against the published figures."""
    parts = [pair_of(data, "routellm_mmlu", s, WEAK, STRONG) for s in ("train", "test")]
    weak, strong = (
        np.concatenate([getattr(p, side) for p in parts]) for side in ("weak", "strong")
    )
    curve = exact_curve(strong - weak, weak, strong)
    return [
        Figure(
            "check: oracle on all rows, APGR",
            f"{apgr(curve):.3f}",
            apgr(curve),
            spread=f"CPT(50) {cpt(curve, 0.5):.2%}, CPT(80) {cpt(curve, 0.8):.2%}",
            note=f"{len(weak):,} decontaminated rows; reference 1.285, 6.25 %, 10.0 %",
        )
    ]


def _singles(test: Pair) -> list[Figure]:
    return [
        Figure(
            "best single model, accuracy, %",
            f"{test.strong.mean():.2%}",
            test.strong.mean() * 100,
            note=f"{STRONG}; {WEAK} {test.weak.mean():.2%}; {len(test.rows):,} test rows",
        )
    ]


def _areas(routers: dict[str, Floats], test: Pair) -> list[Figure]:
    figures: list[Figure] = []
    for name, scores in routers.items():
        area = apgr(quantile_curve(scores, test.weak, test.strong))
        low, high = _interval(scores, test, apgr)
        figures.append(
            Figure(f"APGR, {name}", f"{area:.3f}", area, spread=f"95 %: {low:.3f} to {high:.3f}")
        )
    zero = Figure("APGR, zero router", "0.500", 0.5, note="by definition: it draws between the two")
    return [*figures, zero]


def _mean_quality(routers: dict[str, Floats], test: Pair) -> list[Figure]:
    """Return AIQ: the set has no costs, so what a router costs is its share of strong calls."""
    zero = [(0.0, float(test.weak.mean())), (1.0, float(test.strong.mean()))]
    areas = {"zero router": aiq(zero, 0.0, 1.0)}
    for name, scores in routers.items():
        curve = quantile_curve(scores, test.weak, test.strong)
        points = zip(curve.shares.tolist(), curve.quality.tolist(), strict=True)
        areas[name] = aiq(list(points), 0.0, 1.0)
    return [
        Figure(
            f"AIQ, {name}",
            f"{area:.4f}",
            area,
            note="cost is the share of strong calls" if name == "zero router" else "",
        )
        for name, area in areas.items()
    ]


def _costs(routers: dict[str, Floats], test: Pair) -> list[Figure]:
    figures: list[Figure] = []
    for part in (0.5, 0.8):
        for name, scores in routers.items():
            share = cpt(quantile_curve(scores, test.weak, test.strong), part)
            low, high = _interval(scores, test, lambda curve, part=part: cpt(curve, part))
            figures.append(
                Figure(
                    f"CPT({100 * part:.0f}), {name}, % of calls to the strong model",
                    f"{share:.1%}",
                    share * 100,
                    spread=f"95 %: {low:.1%} to {high:.1%}",
                )
            )
    return figures


def _interval(scores: Floats, test: Pair, measure: Callable[[Curve], float]) -> tuple[float, float]:
    def of(rows: NDArray[np.int64]) -> float:
        return measure(quantile_curve(scores[rows], test.weak[rows], test.strong[rows]))

    return redrawn(len(scores), of)


def _calibration(scores: Floats, test: Pair, learned: Learned) -> list[Figure]:
    hard = test.hard
    area, (low, high) = auroc(scores, hard), auroc_interval(scores, hard)
    error = calibration_error(scores, hard)
    base = brier(np.full(len(hard), learned.report.base_rate), hard)
    skill = 1 - brier(scores, hard) / base
    above = [float((scores >= cut).mean()) for cut in (0.4, 0.75)]
    return [
        Figure(
            "AUROC of the score, hard against easy",
            f"{area:.3f}",
            area,
            spread=f"95 %: {low:.3f} to {high:.3f}",
            note=f"out of fold on the training rows: {learned.report.auroc:.3f}",
        ),
        Figure(
            "expected calibration error, ten bins of equal mass",
            f"{error:.3f}",
            error,
            note=f"out of fold on the training rows: {learned.report.calibration_error:.3f}",
        ),
        Figure(
            "Brier score saved against the base rate, %",
            f"{skill:.1%}",
            skill * 100,
            note=f"base rate {hard.mean():.1%}; of the test calls {above[0]:.1%} are above 0.4, "
            f"{above[1]:.1%} above 0.75",
        ),
    ]


def _against_neighbours(routers: dict[str, Floats], test: Pair) -> Figure:
    ours, near = list(routers.values())[:2]

    def ahead(rows: NDArray[np.int64]) -> float:
        return apgr(quantile_curve(ours[rows], test.weak[rows], test.strong[rows])) - apgr(
            quantile_curve(near[rows], test.weak[rows], test.strong[rows])
        )

    gap = ahead(np.arange(len(ours)))
    low, high = redrawn(len(ours), ahead)
    return Figure(
        "APGR, ours above kNN",
        f"{gap:+.3f}",
        gap,
        spread=f"95 %: {low:+.3f} to {high:+.3f}",
        note=verdict(low, high, "kNN"),
    )
