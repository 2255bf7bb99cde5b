"""The frozen encoder on the sets of the linear family, and how long it takes."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stepdown.cli.bench import students as on
from stepdown.cli.bench.extraction import receipts
from stepdown.cli.bench.figures import Figure
from stepdown.cli.bench.tools import snips
from stepdown.core.ports import Progress
from stepdown.core.stats import cp_interval

__all__ = ["encoder", "encoder_receipts", "encoder_snips"]

FAMILY = "encoder"
ROUNDS = 500
TOKENS = 20
_OUTSIDE = "oos"
_SENTENCE = (
    "why was my card payment not taken from the account yet when will it show up tell me soon"
)
_WORDS = tuple(_SENTENCE.split())


def encoder(data: Path, progress: Progress) -> Sequence[Figure]:
    """Accuracy on Banking77's test split and on CLINC150's in-scope test queries; latency."""
    student, figure = _accuracy(data, progress, "banking77", 94.0)
    _, clinc = _accuracy(data, progress, "clinc150", 95.5)
    return [figure, clinc, *_latency(student)]


def _accuracy(data: Path, progress: Progress, name: str, target: float) -> tuple[Any, Figure]:
    rows = on.labels(data, name)
    train = [row for row in rows if row.split == "train"]
    task = on.task_of(name, train)
    inside = [row for row in rows if row.split == "test" and row.answer.text != _OUTSIDE]
    test = on.examples_of(task, inside)
    student, seconds = on.trained(task, on.examples_of(task, train), progress, FAMILY)
    share = on.accuracy(on.judge(student, test))
    low, high = cp_interval(round(share * len(test)), len(test), 0.95)
    figure = Figure(
        f"{name}, accuracy on {len(test):,} test rows in scope, %",
        f"{share:.2%}",
        share * 100,
        target,
        spread=f"95 %: {low:.2%} to {high:.2%}",
        note=f"{len(train):,} training rows, trained in {seconds:.0f} s",
    )
    return student, figure


def _latency(student: Any) -> list[Figure]:
    from stepdown.students.encoder.quantise import is_quantised

    session = student.look.session
    taken: list[float] = []
    # Every text is another than the one before, whose states are kept.
    turns = [_WORDS[at % len(_WORDS) :] + _WORDS[: at % len(_WORDS)] for at in range(ROUNDS)]
    texts = [" ".join(turn[: TOKENS - 2]) for turn in turns]
    for text in texts:
        began = time.perf_counter_ns()
        session.encode(text)
        taken.append((time.perf_counter_ns() - began) / 1e6)
    p50, p99 = (float(np.quantile(taken[TOKENS:], q)) for q in (0.5, 0.99))
    pieces = len(session.encode(texts[-1]).states) + 2
    kind = "int8 products" if is_quantised(session.model) else "not quantised"
    return [
        Figure(
            f"one input of {pieces} tokens in process, p50, ms",
            f"{p50:.2f} ms",
            p50,
            4.0,
            True,
            spread=f"p99 {p99:.2f} ms",
            note=f"{kind} in the graph ({len(session.model) / 1e6:.0f} MB), one thread",
        )
    ]


def encoder_snips(data: Path, progress: Progress) -> Sequence[Figure]:
    """SNIPS as tool calls: token states beside the words."""
    return snips(data, progress, FAMILY, (90, 76, None))


def encoder_receipts(data: Path, progress: Progress) -> Sequence[Figure]:
    """SROIE's receipts: token states beside the words."""
    return receipts(data, progress, FAMILY, 72)
