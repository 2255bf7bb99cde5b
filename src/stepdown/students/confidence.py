"""How sure a student is of a whole record: the score that the proof's threshold is put on.

A logistic regression from what the student knows of its own answer to "the record is the
teacher's", fitted on held-out training rows alone. Fields are not independent, so the product of
their probabilities is one input among several.
"""

import math

import msgspec

__all__ = ["INPUTS", "Confidence", "Evidence", "Platt", "logit"]

INPUTS = 8
"""How many inputs the regression has: `Evidence.inputs`."""

_TINY = 1e-6


def logit(probability: float) -> float:
    """Return the log-odds of a probability, finite for 0 and 1 as well."""
    clipped = min(max(probability, _TINY), 1 - _TINY)
    return math.log(clipped / (1 - clipped))


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -500 else 0.0


class Platt(msgspec.Struct, frozen=True):
    """A field's probability, recalibrated (Platt, 1999): logistic(slope * logit(p) + shift)."""

    slope: float = 1.0
    shift: float = 0.0

    def __call__(self, probability: float) -> float:
        """Return the recalibrated probability."""
        return _logistic(self.slope * logit(probability) + self.shift)


class Evidence(msgspec.Struct, frozen=True):
    """What is known of one answer.

    `probabilities` of its fields; `log_ratio` the smallest and `entropy` the sum over its choice
    fields; `words` in the input and the share of them `known` from training; `spans` filled;
    `root` the class index of the label or tool, -1 without one.
    """

    probabilities: tuple[float, ...]
    log_ratio: float
    entropy: float
    words: int
    known: float
    spans: int = 0
    root: int = -1

    @property
    def product(self) -> float:
        """The record's probability if its fields were independent."""
        return math.prod(self.probabilities)

    def inputs(self, residual: float) -> tuple[float, ...]:
        """Return the inputs of the regression; `residual` is that of the root's class."""
        return (
            logit(self.product),
            logit(min(self.probabilities, default=1.0)),
            self.log_ratio,
            self.entropy,
            math.log1p(self.words),
            self.known,
            float(self.spans),
            residual,
        )


class Confidence(msgspec.Struct, frozen=True):
    """The fitted score; without weights it is the product of the fields' probabilities.

    `residuals` has, for each class of the root, how much oftener than its probability says it was
    right in training. Below the share `least_known` of known words an input is unlike the training
    rows, and its score shrinks in proportion.
    """

    weights: tuple[float, ...] = ()
    shift: float = 0.0
    residuals: tuple[float, ...] = ()
    least_known: float = 0.0

    def __call__(self, evidence: Evidence) -> float:
        """Return the probability in [0, 1] that the record is the teacher's."""
        if self.weights:
            root = evidence.root
            residual = self.residuals[root] if 0 <= root < len(self.residuals) else 0.0
            inputs = evidence.inputs(residual)
            score = _logistic(self.shift + sum(map(float.__mul__, self.weights, inputs)))
        else:
            score = evidence.product
        if evidence.known < self.least_known:
            score *= evidence.known / self.least_known
        return score
