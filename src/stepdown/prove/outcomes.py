"""A student's answers to examples, judged: accepted with which score, and right or wrong."""

import math
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.core.datasets import Example
from stepdown.core.losses import CLOSE, Loss, exact_loss
from stepdown.core.ports import Prediction, Progress, Student, silent
from stepdown.core.redaction import holds_placeholder
from stepdown.core.stats import NEVER

__all__ = ["Answering", "Outcome", "answer", "graded", "graded_by", "losses_of", "scores_and_wrong"]

_EVERY = 50


class Outcome(msgspec.Struct, frozen=True):
    """One example answered. `score` is the confidence, or -inf where the student abstained.

    `agrees` compares the records as if the student had answered; an example whose reference is not
    of the task's shape agrees with nothing. `loss` in [0, 1] is what is lost by the answer, where
    that is more than a yes or no: a summary agrees where it loses little.
    """

    example: Example
    prediction: Prediction
    score: float
    agrees: bool
    loss: float | None = None

    @property
    def abstained(self) -> bool:
        """Say whether this answer could never be served, whatever the threshold."""
        return self.score == NEVER


Answering = Callable[[Student, Sequence[Example], Progress, str, Loss], "list[Outcome]"]
"""answering(student, examples, progress, stage, loss) → an outcome of each; see `answer`."""


def answer(
    student: Student,
    examples: Sequence[Example],
    progress: Progress = silent,
    stage: str = "",
    loss: Loss = exact_loss,
) -> list[Outcome]:
    """Let the student answer every example, one at a time, as it will live."""
    outcomes: list[Outcome] = []
    for example in examples:
        prediction = _predict(student, example)
        served = prediction.answer is not None and math.isfinite(prediction.confidence)
        score = prediction.confidence if served else NEVER
        bare = Outcome(example, prediction, score, agrees=False)
        outcomes.append(graded_by(bare, example, loss))
        if len(outcomes) % _EVERY == 0 or len(outcomes) == len(examples):
            progress(stage, len(outcomes), len(examples))
    return outcomes


def graded_by(outcome: Outcome, reference: Example, loss: Loss) -> Outcome:
    """Return the outcome with that row's answer as what it is compared with."""
    record = outcome.prediction.record
    said = bool(record) or not outcome.abstained
    lost = loss(record, reference) if said else 1.0
    return msgspec.structs.replace(
        outcome,
        example=reference,
        agrees=lost <= CLOSE,
        loss=None if loss is exact_loss else lost,
    )


def _predict(student: Student, example: Example) -> Prediction:
    try:
        said = student.predict(example.input)
        if said.answer is None or not holds_placeholder(said.answer):
            return said
        # Live, nobody is told what stands in place of what was taken out.
        return msgspec.structs.replace(said, answer=None, abstained="it would tell a placeholder")
    except Exception as error:  # noqa: BLE001 — live, any exception of a student's escalates (R-10)
        reason = f"student error: {type(error).__name__}"
        return Prediction(record={}, answer=None, confidence=0.0, abstained=reason)


def graded(outcomes: Sequence[Outcome]) -> bool:
    """Say whether the outcomes have losses between right and wrong."""
    return any(outcome.loss is not None for outcome in outcomes)


def losses_of(outcomes: Sequence[Outcome]) -> NDArray[np.float64]:
    """Return what each outcome loses if it is accepted, in [0, 1]."""
    return np.array([float(not o.agrees) if o.loss is None else o.loss for o in outcomes])


def scores_and_wrong(
    outcomes: Sequence[Outcome],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the scores and the flags "wrong if accepted" of the outcomes, as arrays."""
    scores = np.array([outcome.score for outcome in outcomes], np.float64)
    return scores, np.array([not outcome.agrees for outcome in outcomes], np.bool_)
