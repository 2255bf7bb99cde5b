"""The fine-tuned encoder on the sets of the frozen one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stepdown.cli.bench import students as on
from stepdown.cli.bench.figures import Figure
from stepdown.cli.bench.tools import snips
from stepdown.core.ports import Progress
from stepdown.core.stats import cp_interval

__all__ = ["tuned", "tuned_snips"]

FAMILY = "encoder-tuned"


def tuned(data: Path, progress: Progress) -> Sequence[Figure]:
    """Accuracy on Banking77's test split, with the same MiniLM as the frozen family's."""
    rows = on.labels(data, "banking77")
    train = [row for row in rows if row.split == "train"]
    task = on.task_of("banking77", train)
    test = on.examples_of(task, [row for row in rows if row.split == "test"])
    student, seconds = on.trained(task, on.examples_of(task, train), progress, FAMILY)
    share = on.accuracy(on.judge(student, test))
    low, high = cp_interval(round(share * len(test)), len(test), 0.95)
    times = on.latencies(student, test)
    p50, p99 = (float(np.quantile(times, q)) for q in (0.5, 0.99))
    return [
        Figure(
            f"banking77, accuracy on {len(test):,} test rows, %",
            f"{share:.2%}",
            share * 100,
            None,
            spread=f"95 %: {low:.2%} to {high:.2%}",
            note=f"{len(train):,} training rows, trained in {seconds:.0f} s; "
            f"p50 {p50:.2f} ms, p99 {p99:.2f} ms a row",
        )
    ]


def tuned_snips(data: Path, progress: Progress) -> Sequence[Figure]:
    """SNIPS as tool calls: choices and tags learnt jointly."""
    return snips(data, progress, FAMILY, (92, 82, None))
