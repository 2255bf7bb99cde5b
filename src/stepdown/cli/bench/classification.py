"""Banking77 by the linear family: accuracy, certified coverage, training time, latency."""

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stepdown.cli.bench import students as on
from stepdown.cli.bench.figures import Figure
from stepdown.core.ports import Progress
from stepdown.core.stats import cp_interval

__all__ = ["banking77", "latency", "shift"]

CALIBRATION_ROWS = 2000
SPLITS = 100
DRAWS = 4000


def _parts(data: Path) -> tuple[Any, list[Any], list[Any]]:
    rows = on.labels(data, "banking77")
    train = [row for row in rows if row.split == "train"]
    task = on.task_of("banking77", train)
    test = [row for row in rows if row.split == "test"]
    return task, on.examples_of(task, train), on.examples_of(task, test)


def banking77(data: Path, progress: Progress) -> Sequence[Figure]:
    """Train on the whole training split; then again without 2,000 rows that certify."""
    task, train, test = _parts(data)
    student, seconds = on.trained(task, train, progress)
    share = on.accuracy(on.judge(student, test))
    low, high = cp_interval(round(share * len(test)), len(test), 0.95)
    rest, aside = on.split_off(train, CALIBRATION_ROWS)
    smaller, _ = on.trained(task, rest, progress)
    calibration, judged = on.judge(smaller, aside), on.judge(smaller, test)
    got = on.certify(calibration, judged)
    pool = on.Judged(
        np.concatenate([calibration.scores, judged.scores]),
        np.concatenate([calibration.wrong, judged.wrong]),
    )
    return [
        Figure(
            "test accuracy, %",
            f"{share:.2%}",
            share * 100,
            92.5,
            spread=f"95 %: {low:.2%} to {high:.2%}",
            note=f"{len(train):,} training rows",
        ),
        Figure(
            "answered on test, certified joint 2 %, %",
            f"{got.answered:.1%}",
            got.answered * 100,
            82,
            note=f"{len(rest):,} train, {len(aside):,} certify",
        ),
        Figure("answered differently, of all test calls, %", f"{got.risk:.2%}", got.risk * 100),
        *_violations(pool),
        Figure("training time, s", f"{seconds:.1f} s", seconds, 20, True),
    ]


def _violations(pool: on.Judged) -> list[Figure]:
    first, covered = on.violations(pool, CALIBRATION_ROWS, SPLITS)
    broken, _ = on.violations(pool, CALIBRATION_ROWS, DRAWS)
    low, high = cp_interval(broken, DRAWS, 0.95)
    rest, _ = on.violations_on_rest(pool, CALIBRATION_ROWS, DRAWS)
    per_100 = 100 * broken / DRAWS
    return [
        Figure(
            f"violations per 100 fresh splits, mean over {DRAWS:,}",
            f"{per_100:.1f}",
            per_100,
            5,
            True,
            spread=f"95 %: {100 * low:.1f} to {100 * high:.1f}; the first {SPLITS}: {first}",
            note=f"mean coverage {covered:.1%}; {len(pool.scores):,} rows that trained nothing are "
            "the population",
        ),
        Figure(
            "the same, counted on the rows that did not certify",
            f"{100 * rest / DRAWS:.1f}",
            100 * rest / DRAWS,
            note="their own chance is in it, so the promise does not bound it",
        ),
    ]


def shift(data: Path, progress: Progress) -> Sequence[Figure]:
    """Certify on one part of clinc150's training split, then meet its test split.

    Its splits have writers of their own, and the test split is full of requests that training
    hardly has: what a certificate does not cover, measured.
    """
    rows = on.labels(data, "clinc150")
    task = on.task_of("clinc150", [row for row in rows if row.split == "train"])
    train = on.examples_of(task, [row for row in rows if row.split == "train"])
    rest, aside = on.split_off(train, 2 * CALIBRATION_ROWS)
    student, _ = on.trained(task, rest, progress)
    calibration, same = (
        on.judge(student, part) for part in (aside[:CALIBRATION_ROWS], aside[CALIBRATION_ROWS:])
    )
    test = [row for row in rows if row.split == "test"]
    inside = on.examples_of(task, [row for row in test if row.answer.text != "oos"])
    others = on.judge(student, inside)
    everything = on.judge(student, on.examples_of(task, test))
    return [
        _shifted("its own other rows", on.certify(calibration, same), len(same.scores)),
        _shifted("other writers", on.certify(calibration, others), len(others.scores)),
        _shifted(
            "other writers, 18 % out of scope",
            on.certify(calibration, everything),
            len(everything.scores),
        ),
    ]


def _shifted(name: str, got: on.Coverage, rows: int) -> Figure:
    low, high = cp_interval(round(got.risk * rows), rows, 0.95)
    return Figure(
        f"clinc150, certified joint 2 %: {name}, answered differently, %",
        f"{got.risk:.2%}",
        got.risk * 100,
        spread=f"95 %: {low:.2%} to {high:.2%}",
        note=f"answered {got.answered:.1%} of {rows:,}",
    )


def _scikit_path(train: Sequence[Any]) -> Callable[[str], object]:
    """Return one prediction as scikit-learn does it: the same n-grams, vectoriser and machine."""
    from sklearn.feature_extraction.text import (  # pyright: ignore[reportMissingTypeStubs]
        TfidfVectorizer,
    )
    from sklearn.pipeline import make_pipeline, make_union  # pyright: ignore[reportUnknownVariableType]
    from sklearn.svm import LinearSVC  # pyright: ignore[reportUnknownVariableType]

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    chars = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2)
    model: Any = make_pipeline(make_union(words, chars), LinearSVC())
    few = train[:2000]
    model.fit([e.input[0].text for e in few], [e.record[""] for e in few])
    return lambda text: model.predict([text])


def latency(data: Path, progress: Progress) -> Sequence[Figure]:
    """Time one prediction among 77 labels in process, utterances of 12 words, after warm-up."""
    task, train, test = _parts(data)
    student, _ = on.trained(task, train, progress)
    twelve = [e for e in test if len(re.findall(r"\S+", e.input[0].text)) == 12]
    times = on.latencies(student, twelve)
    plain = _scikit_path(train)
    theirs: list[float] = []
    for example in (twelve * 10)[:500]:
        began = time.perf_counter_ns()
        plain(example.input[0].text)
        theirs.append((time.perf_counter_ns() - began) / 1e6)
    p50, p99 = (float(np.quantile(times, q)) for q in (0.5, 0.99))
    other = float(np.median(theirs))
    return [
        Figure(
            "12 words, 77 labels, in process, p50, ms",
            f"{p50:.3f} ms",
            p50,
            0.15,
            True,
            spread=f"p99 {p99:.3f} ms",
            note="confidence and answer included",
        ),
        Figure(
            "scikit-learn's own path in the same run, p50, ms",
            f"{other:.3f} ms",
            other,
            note=f"{other / p50:.0f} times as long; without confidence or static vectors",
        ),
    ]
