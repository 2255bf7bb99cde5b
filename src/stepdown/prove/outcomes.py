"""A student's answers to examples, judged: accepted with which score, and right or wrong."""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.core.datasets import Example
from stepdown.core.ports import Prediction, Progress, Student, silent
from stepdown.core.records import same_record
from stepdown.core.stats import NEVER

__all__ = ["Outcome", "answer", "scores_and_wrong"]

_EVERY = 50


class Outcome(msgspec.Struct, frozen=True):
    """One example answered. `score` is the confidence, or -inf where the student abstained.

    `agrees` compares the records as if the student had answered; an example whose reference is not
    of the task's shape agrees with nothing.
    """

    example: Example
    prediction: Prediction
    score: float
    agrees: bool

    @property
    def abstained(self) -> bool:
        """Say whether this answer could never be served, whatever the threshold."""
        return self.score == NEVER


def answer(
    student: Student, examples: Sequence[Example], progress: Progress = silent, stage: str = ""
) -> list[Outcome]:
    """Let the student answer every example, one at a time, as it will live."""
    outcomes: list[Outcome] = []
    for example in examples:
        prediction = _predict(student, example)
        served = prediction.answer is not None and math.isfinite(prediction.confidence)
        outcomes.append(
            Outcome(
                example,
                prediction,
                prediction.confidence if served else NEVER,
                example.known
                and (served or bool(prediction.record))
                and same_record(prediction.record, example.record),
            )
        )
        if len(outcomes) % _EVERY == 0 or len(outcomes) == len(examples):
            progress(stage, len(outcomes), len(examples))
    return outcomes


def _predict(student: Student, example: Example) -> Prediction:
    try:
        return student.predict(example.input)
    except Exception as error:  # noqa: BLE001 — live, any exception of a student's escalates (R-10)
        reason = f"student error: {type(error).__name__}"
        return Prediction(record={}, answer=None, confidence=0.0, abstained=reason)


def scores_and_wrong(
    outcomes: Sequence[Outcome],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the scores and the flags "wrong if accepted" of the outcomes, as arrays."""
    scores = np.array([outcome.score for outcome in outcomes], np.float64)
    return scores, np.array([not outcome.agrees for outcome in outcomes], np.bool_)
