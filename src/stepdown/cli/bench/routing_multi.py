"""Routing among nine models by RouterBench's protocol: cost, quality, and the area between.

The training split fits the models, chooses the penalty and k; the test split is read once. Its
tasks are mixed otherwise than the training split's, as its source made it.
"""

from collections.abc import Sequence
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
from stepdown.route.curves import aiq, sweep
from stepdown.route.features import GRAMS, SHAPE, Vectors
from stepdown.route.fit import PENALTIES, logistic_path
from stepdown.route.learn import matrix_of
from stepdown.route.rows import Compared, prompted
from stepdown.route.score import inputs_of
from stepdown.students.static import find_static

__all__ = ["BILLIONS", "Graded", "graded", "routing_multi"]

BILLIONS = {
    "mistral-7b-instruct-v0.3": 7,
    "qwen2.5-7b-instruct": 7,
    "codegemma-7b": 7,
    "llama-3.1-8b-instruct": 8,
    "llama3-chatqa-1.5-8b": 8,
    "gemma-2-9b-it": 9,
    "llama-3.3-nemotron-super-49b-v1": 49,
    "llama-3.1-nemotron-51b-instruct": 51,
    "llama3-chatqa-1.5-70b": 70,
}
"""Parameters of each model. The set has no costs: they are assumed, by size."""

USD_BILLION = 0.02
"""US dollars for 1,000 calls of 1,000 tokens and each billion parameters."""

_WEIGHTS = np.concatenate(([0.0], np.logspace(-2, 4, 60)))
_NEIGHBOURS = (5, 10, 20, 40, 80, 160)
Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]


class Graded(msgspec.Struct, frozen=True):
    """Rows with each model's score, [rows, models], the cheapest first."""

    rows: tuple[Compared, ...]
    scores: Floats


def graded(data: Path, split: str, known: frozenset[str] = frozenset()) -> Graded:
    """Return one split, without prompts whose words stand in `known`."""
    rows: list[Compared] = []
    scores: list[list[float]] = []
    for row in read_set(data, "llmrouter_multi", split):
        if _words(row["prompt"]) not in known:
            rows.append(Compared(prompted(row["prompt"]), False, split))
            scores.append([row["models"][name]["score"] for name in BILLIONS])
    return Graded(tuple(rows), np.array(scores, float))


def _words(prompt: str) -> str:
    return " ".join(prompt.casefold().split())


def routing_multi(data: Path, progress: Progress) -> Sequence[Figure]:
    """Route prompts of eleven tasks among nine open models of 7B to 70B."""
    train = graded(data, "train")
    # By cost, then by the training score: the cheapest choice is the best of the cheapest.
    names = list(BILLIONS)
    means = train.scores.mean(axis=0)
    order = sorted(range(len(names)), key=lambda m: (BILLIONS[names[m]], -means[m]))
    costs = np.array([BILLIONS[names[m]] for m in order], float) * USD_BILLION
    best = int(np.argmax(means[order]))
    train = _parts(train, order, np.full(len(train.rows), True))
    aside = np.arange(len(train.rows)) % 5 == 1
    alike = _parts(train, None, aside)
    same = _routers(_parts(train, None, ~aside), alike, costs, progress)
    seen = frozenset(_words(row.request.messages[0].text) for row in train.rows)
    fit = _fitted(train, costs, progress)
    test = graded(data, "test", seen)
    test = _parts(test, order, np.full(len(test.rows), True))
    routers = _predicted(fit, train, test)
    return [
        *_singles(test, names[order[best]], best, costs),
        *_areas(routers, test, costs),
        *_differences(routers, test, costs),
        *_alike(same, alike, costs),
    ]


def _parts(split: Graded, order: list[int] | None, kept: NDArray[np.bool_]) -> Graded:
    """Return the rows that are kept, the models in another order."""
    rows = tuple(row for row, keep in zip(split.rows, kept, strict=True) if keep)
    scores = split.scores[kept]
    return Graded(rows, scores if order is None else scores[:, order])


class _Fit(msgspec.Struct, frozen=True):
    """What was fitted on a training split: our heads, and the neighbours' words and number."""

    vectors: Any
    means: Matrix
    scales: Matrix
    heads: Floats
    words: Matrix
    k: int


def _fitted(train: Graded, costs: Floats, progress: Progress) -> _Fit:
    vectors = find_static()
    with threadpool_limits(1):
        matrix, means, scales = matrix_of(train.rows, vectors, progress)
        heads = _heads(matrix, train.scores, progress)
        words = matrix[:, _first_word(vectors) :]
        return _Fit(vectors, means, scales, heads, words, _best_k(words, train.scores, costs))


def _predicted(fit: _Fit, train: Graded, asked: Graded) -> dict[str, Floats]:
    """Return each router's expected scores of the rows that are asked, ours first."""
    matrix = np.array([inputs_of(row.request, fit.vectors) for row in asked.rows])
    near = nearest(matrix[:, _first_word(fit.vectors) :], fit.words, fit.k)
    matrix[:, : len(SHAPE)] = (matrix[:, : len(SHAPE)] - fit.means) / fit.scales
    raw = matrix @ fit.heads[:, :-1].T.astype(np.float32) + fit.heads[:, -1]
    return {
        "ours": 1.0 / (1.0 + np.exp(-raw)),
        f"kNN, k = {fit.k}": train.scores[near].mean(axis=1),
        "random": np.random.default_rng(0).random(asked.scores.shape),
        "oracle": asked.scores,
    }


def _routers(train: Graded, asked: Graded, costs: Floats, progress: Progress) -> dict[str, Floats]:
    return _predicted(_fitted(train, costs, progress), train, asked)


def _alike(routers: dict[str, Floats], held: Graded, costs: Floats) -> list[Figure]:
    """Return the areas on rows of the training split's own mix of tasks."""
    areas = {name: _aiq(predicted, held.scores, costs) for name, predicted in routers.items()}
    areas["zero router"] = _zero(held.scores, costs)
    where = "AIQ on a fifth of the training split, held out"
    figures = [Figure(f"{where}: {name}", f"{area:.3f}", area) for name, area in areas.items()]
    first = msgspec.structs.replace(
        figures[0], note=f"{len(held.rows)} prompts of the tasks that were learnt"
    )
    return [first, *figures[1:], *_differences(routers, held, costs, f"{where}: ours above")]


def _first_word(vectors: Vectors | None) -> int:
    return len(SHAPE) + (GRAMS if vectors else 0)


def _heads(matrix: Matrix, scores: Floats, progress: Progress) -> Floats:
    """Return each model's weights for its expected score: the penalty by a fifth held out."""
    held = np.arange(len(matrix)) % 5 == 0
    heads: list[Floats] = []
    for model in range(scores.shape[1]):
        progress("models", model, scores.shape[1])
        target = scores[:, model]
        losses: list[float] = []
        for weights in logistic_path(matrix[~held], target[~held]):
            raw = matrix[held] @ weights[:-1].astype(np.float32) + weights[-1]
            losses.append(float(np.sum(np.logaddexp(0.0, raw) - target[held] * raw)))
        best = PENALTIES[int(np.argmin(losses))]
        heads.append(logistic_path(matrix, target, (best,))[0])
    return np.array(heads)


def _best_k(words: Matrix, scores: Floats, costs: Floats) -> int:
    held = np.arange(len(words)) % 5 == 0
    order = nearest(words[held], words[~held], max(_NEIGHBOURS))

    def area(k: int) -> float:
        return _aiq(scores[~held][order[:, :k]].mean(axis=1), scores[held], costs)

    return max(_NEIGHBOURS, key=area)


def _aiq(predicted: Floats, truth: Floats, costs: Floats) -> float:
    points = sweep(predicted, truth, costs, _WEIGHTS)
    return aiq(points, float(costs.min()), float(costs.max()))


def _zero(truth: Floats, costs: Floats) -> float:
    points = list(zip(costs.tolist(), truth.mean(axis=0).tolist(), strict=True))
    return aiq(points, float(costs.min()), float(costs.max()))


def _singles(test: Graded, name: str, best: int, costs: Floats) -> list[Figure]:
    score = float(test.scores[:, best].mean())
    return [
        Figure(
            "best single model of the training split, mean score, %",
            f"{score:.1%}",
            score * 100,
            note=f"{name}, {costs[best]:.2f} USD for 1,000 calls; {len(test.rows)} test prompts; "
            f"costs are assumed: {USD_BILLION:g} USD for 1,000 calls and each billion parameters",
        )
    ]


def _areas(routers: dict[str, Floats], test: Graded, costs: Floats) -> list[Figure]:
    figures: list[Figure] = []
    for name, predicted in routers.items():

        def of(rows: NDArray[np.int64], predicted: Floats = predicted) -> float:
            return _aiq(predicted[rows], test.scores[rows], costs)

        figures.append(
            _area(name, _aiq(predicted, test.scores, costs), redrawn(len(test.rows), of))
        )
    zero = redrawn(len(test.rows), lambda rows: _zero(test.scores[rows], costs))
    figures.append(_area("zero router", _zero(test.scores, costs), zero))
    return figures


def _area(name: str, value: float, interval: tuple[float, float]) -> Figure:
    low, high = interval
    note = "the hull of the single models, chosen on the test prompts themselves"
    return Figure(
        f"AIQ, {name}",
        f"{value:.3f}",
        value,
        spread=f"95 %: {low:.3f} to {high:.3f}",
        note=note if name == "zero router" else "",
    )


def _differences(
    routers: dict[str, Floats], test: Graded, costs: Floats, title: str = "AIQ, ours above"
) -> list[Figure]:
    ours, near = list(routers.values())[:2]

    def ahead_of_near(rows: NDArray[np.int64]) -> float:
        truth = test.scores[rows]
        return _aiq(ours[rows], truth, costs) - _aiq(near[rows], truth, costs)

    def ahead_of_zero(rows: NDArray[np.int64]) -> float:
        truth = test.scores[rows]
        return _aiq(ours[rows], truth, costs) - _zero(truth, costs)

    figures: list[Figure] = []
    compared: list[tuple[str, Any]] = [("kNN", ahead_of_near), ("zero", ahead_of_zero)]
    for name, ahead in compared:
        gap = ahead(np.arange(len(test.rows)))
        low, high = redrawn(len(test.rows), ahead)
        figures.append(
            Figure(
                f"{title} {name}",
                f"{gap:+.3f}",
                gap,
                spread=f"95 %: {low:+.3f} to {high:+.3f}",
                note=verdict(low, high, name),
            )
        )
    return figures
