"""Which sentences make the summary: the best ones that fit, none that says the same again."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.students.extractive.sentences import Sentence

__all__ = ["EVIDENCE", "Picked", "Rule", "pick"]

EVIDENCE = 8
"""How many numbers say how sure a pick is."""


class Rule(msgspec.Struct, frozen=True):
    """`least` is the score (log-odds) from which a further sentence is taken; one that shares more
    than the share `alike` of what it is told by with those before it is left out."""

    least: float = 0.0
    alike: float = 0.6


class Picked(msgspec.Struct, frozen=True):
    """The sentences taken, in the text's order, and what is known of the choice (float64)."""

    rows: tuple[int, ...]
    text: str
    evidence: NDArray[np.float64]


def pick(
    sentences: Sequence[Sentence], scores: NDArray[np.float64], longest: int, rule: Rule
) -> Picked | None:
    """Return the summary of at most `longest` characters; None where no sentence fits.

    Greedy by score, as maximal marginal relevance is (Carbonell and Goldstein, SIGIR 1998), with a
    cut-off in place of its weight. The first sentence that fits is always taken.
    """
    taken: list[int] = []
    told: set[str] = set()
    size = 0
    order: list[int] = np.argsort(-scores, kind="stable").tolist()
    for row in order:
        one = sentences[row]
        if taken and (scores[row] < rule.least or _share(one.told, told) > rule.alike):
            continue
        if size + len(one.text) + bool(taken) > longest:
            continue
        size += len(one.text) + bool(taken)
        taken.append(row)
        told |= one.told
    if not taken:
        return None
    rows = tuple(sorted(taken))
    text = " ".join(sentences[row].text for row in rows)
    return Picked(rows, text, _evidence(sentences, scores, taken, size / longest))


def _share(told: set[str], before: set[str]) -> float:
    return len(told & before) / len(told) if told else 1.0


def _evidence(
    sentences: Sequence[Sentence], scores: NDArray[np.float64], taken: Sequence[int], full: float
) -> NDArray[np.float64]:
    inside = scores[list(taken)]
    left = np.delete(scores, list(taken))
    best_left = float(left.max()) if len(left) else float(inside.min()) - 1.0
    chances = 1.0 / (1.0 + np.exp(-np.clip(scores, -30, 30)))
    told = [one.told for one in sentences]
    kept = set[str]().union(*(told[row] for row in taken))
    return np.array(
        [
            inside.max(),
            inside.mean(),
            inside.min() - best_left,
            len(taken),
            full,
            np.log1p(len(sentences)),
            # How many sentences the scorer would have wanted, against how many it could take.
            chances.sum() - len(taken),
            len(kept) / max(len(set[str]().union(*told)), 1),
        ],
        np.float64,
    )
