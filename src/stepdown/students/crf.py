"""Linear-chain conditional random field: trained by crfsuite, decoded here with numpy.

Lafferty, McCallum and Pereira, 2001. Our own decoder because crfsuite gives no probability for a
span (only for one token or the whole sequence), reads damaged model files with a crash, and keeps a
state that two threads can't share.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pycrfsuite
from numpy.typing import NDArray

__all__ = [
    "Crf",
    "CrfSettings",
    "Forward",
    "Posterior",
    "fit_crf",
    "forward",
    "posterior",
    "score",
    "viterbi",
]

Floats = NDArray[np.float64]

# Its types are in no stub.
_crfsuite: Any = pycrfsuite

OUTSIDE = "O"
# Weights below this change no decision; without them the model is a third of the size.
_NEGLIGIBLE = 0.01
_FORBIDDEN = -1e4
# No label is so unlikely that the others' rules could leave none at all.
_FLOOR = -50.0
# Scores are brought back to 1 every few tokens: e ** (8 * -50) is still far from zero.
_RESCALE = 8
_TINY = 1e-300


class CrfSettings(msgspec.Struct, frozen=True):
    """L-BFGS with an L1 and an L2 penalty (`c1`, `c2`); a feature seen less often is left out."""

    c1: float = 0.05
    c2: float = 0.05
    iterations: int = 80
    min_count: int = 1


class Crf(msgspec.Struct, frozen=True):
    """Weights of a trained model; labels are O, B-x and I-x.

    `rows[feature]` is the feature's row of `emissions` (features by labels); `transitions` is
    labels by labels, `start` one score a label. I-x may follow B-x and I-x alone.
    """

    labels: tuple[str, ...]
    rows: dict[str, int]
    emissions: NDArray[np.float32]
    transitions: Floats
    start: Floats


class Forward(msgspec.Struct, frozen=True):
    """The sum over labellings of one sequence of T tokens, whole and under K restrictions.

    `within[k]` is the probability that the labels keep to restriction k; `alphas` (T by L) are the
    unrestricted forward scores, each row up to a factor of its own.
    """

    within: Floats
    alphas: Floats


class Posterior(msgspec.Struct, frozen=True):
    """What the model believes of one sequence of T tokens with L labels.

    `marginals[t, l]` is P(label l at t); `stays[t, l]` is P(the label at t is the inside of l's
    field | label l at t-1): how likely a span goes on.
    """

    marginals: Floats
    stays: Floats


def _legal(labels: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which label may follow which, and which may come first."""
    inside = [label[2:] if label.startswith("I-") else None for label in labels]
    field = [label[2:] if label != OUTSIDE else None for label in labels]
    follow = np.array([[i is None or i == before for i in inside] for before in field])
    return follow, np.array([i is None for i in inside])


def fit_crf(
    rows: Iterable[tuple[Sequence[Sequence[str]], Sequence[str]]],
    settings: CrfSettings,
    on_iteration: Callable[[int], None] = lambda done: None,
) -> Crf:
    """Train on rows of (features of each token, BIO label of each token).

    The rows are read once, one at a time: only their numbers stay in memory.
    """
    trainer = _Trainer(on_iteration)
    trainer.select("lbfgs", "crf1d")
    # crfsuite sees numbers for names: no text of the log can upset its files.
    ids: dict[str, str] = {}
    known: dict[str, str] = {OUTSIDE: "0"}
    for features, labels in rows:
        named = [[ids.setdefault(name, str(len(ids))) for name in token] for token in features]
        tags = [known.setdefault(label, str(len(known))) for label in labels]
        trainer.append(_crfsuite.ItemSequence(named), tags)
    trainer.set_params(
        {
            "c1": settings.c1,
            "c2": settings.c2,
            "max_iterations": settings.iterations,
            "feature.minfreq": settings.min_count,
            "epsilon": 1e-4,
            "delta": 1e-4,
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "crf")
        trainer.train(path)
        tagger = _crfsuite.Tagger()
        tagger.open(path)
        info = tagger.info()
        tagger.close()
    names, spoken = list(ids), {number: label for label, number in known.items()}
    state = {(names[int(f)], spoken[tag]): w for (f, tag), w in info.state_features.items()}
    steps = {(spoken[a], spoken[b]): w for (a, b), w in info.transitions.items()}
    return _weights(set(known), state, steps)


class _Trainer(_crfsuite.BaseTrainer):  # pyright: ignore[reportUntypedBaseClass]
    """crfsuite's trainer, which tells its progress as log lines."""

    def __init__(self, on_iteration: Callable[[int], None]) -> None:
        super().__init__()
        self._tell = on_iteration
        self._done = 0

    def message(self, message: str) -> None:
        if message.startswith("***** Iteration"):
            self._done += 1
            self._tell(self._done)


def _weights(
    known: set[str],
    state: dict[tuple[str, str], float],
    steps: dict[tuple[str, str], float],
) -> Crf:
    """Arrange the weights; every field has both its labels, O is first and B before I."""
    names = sorted({label[2:] for label in known - {OUTSIDE}}, key=lambda name: (len(name), name))
    labels = (OUTSIDE, *(f"{kind}-{name}" for name in names for kind in "BI"))
    column = {label: at for at, label in enumerate(labels)}
    heavy = {key: w for key, w in state.items() if abs(w) >= _NEGLIGIBLE}
    rows: dict[str, int] = {}
    for feature, _ in heavy:
        rows.setdefault(feature, len(rows))
    emissions = np.zeros((len(rows), len(labels)), np.float32)
    for (feature, label), weight in heavy.items():
        emissions[rows[feature], column[label]] = weight
    transitions = np.zeros((len(labels), len(labels)))
    for (before, after), weight in steps.items():
        transitions[column[before], column[after]] = weight
    follow, first = _legal(labels)
    # An inside label that was never seen stays impossible.
    unseen = [column[label] for label in labels if label not in known]
    follow[:, unseen] = False
    first[unseen] = False
    transitions[~follow] = _FORBIDDEN
    return Crf(labels, rows, emissions, transitions, np.where(first, 0.0, _FORBIDDEN))


def score(crf: Crf, features: Sequence[Sequence[str]]) -> Floats:
    """Return each token's score for each label (T by L) from its features alone."""
    lookup = crf.rows.get
    found: list[int] = []
    counts: list[int] = []
    for token in features:
        before = len(found)
        found.extend([row for row in map(lookup, token) if row is not None])
        counts.append(len(found) - before)
    scores = np.zeros((len(features), len(crf.labels)))
    filled = np.array(counts)
    if found:
        offsets = np.cumsum(filled) - filled
        has = filled > 0
        scores[has] = np.add.reduceat(crf.emissions[found], offsets[has], axis=0)
    return scores


def _emissions(scores: Floats) -> Floats:
    return np.exp(np.maximum(scores - scores.max(axis=1, keepdims=True), _FLOOR))


def forward(crf: Crf, scores: Floats, allowed: Floats) -> Forward:
    """Sum over all labellings and over those that each of K restrictions allows.

    `allowed` (T by K by L) is 1 where a label may stand and 0 where it may not.
    """
    length, width = scores.shape
    emit = _emissions(scores)
    masked = np.empty((length, allowed.shape[1] + 1, width))
    masked[:, 0] = emit
    np.multiply(allowed, emit[:, None], out=masked[:, 1:])
    step = np.exp(crf.transitions)
    alphas = np.empty((length, width))
    rows = np.exp(crf.start) * masked[0]
    alphas[0] = rows[0]
    for t in range(1, length):
        rows = (rows @ step) * masked[t]
        if t % _RESCALE == 0:
            # One factor for all restrictions: only their ratio to the whole matters.
            rows /= rows[0].sum()
        alphas[t] = rows[0]
    totals = rows.sum(axis=1)
    return Forward(np.minimum(totals[1:] / totals[0], 1.0), alphas)


def posterior(crf: Crf, scores: Floats, alphas: Floats) -> Posterior:
    """Run backward over `scores` (T by L) and join it with the forward scores."""
    length, width = scores.shape
    emit = _emissions(scores)
    back = np.exp(crf.transitions).T
    # ahead[t] = P(what follows from t on | label at t), pull[t-1] the same given the label before.
    ahead = np.empty((length, width))
    pull = np.empty((length, width))
    pull[-1] = row = np.ones(width)
    for t in range(length - 1, 0, -1):
        ahead[t] = emit[t] * row
        pull[t - 1] = row = ahead[t] @ back
        if t % _RESCALE == 0:
            row = row / row.max()
    marginals = alphas * pull
    marginals /= marginals.sum(axis=1, keepdims=True)
    stays = np.zeros((length, width))
    inside = _inside_of(crf.labels)
    own = back[inside, np.arange(width)]
    stays[1:] = own * ahead[1:, inside] / np.maximum(pull[:-1], _TINY)
    return Posterior(marginals, stays)


def _inside_of(labels: Sequence[str]) -> NDArray[np.intp]:
    """Return for each label the index of its field's inside label (O: of O)."""
    column = {label: at for at, label in enumerate(labels)}
    return np.array([column[f"I-{x[2:]}"] if x != OUTSIDE else 0 for x in labels])


def viterbi(crf: Crf, scores: Floats) -> list[int]:
    """Return the most probable sequence of label indices."""
    length = len(scores)
    best = crf.start + scores[0]
    back = np.empty((length, len(best)), np.intp)
    for t in range(1, length):
        through = best[:, None] + crf.transitions
        back[t] = through.argmax(axis=0)
        best = through.max(axis=0) + scores[t]
    path = [int(best.argmax())]
    for t in range(length - 1, 0, -1):
        path.append(int(back[t, path[-1]]))
    return path[::-1]
