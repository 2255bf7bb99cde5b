"""A fitted complexity score: from a request to a calibrated probability, by numpy alone."""

import math
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.core.calls import Request
from stepdown.route.features import SHAPE, Vectors, grams_of, shape_of, text_of, words_of

__all__ = ["Calibration", "Score", "calibrated", "inputs_of"]

Floats = NDArray[np.float32]
_LARGEST = 30.0


class Calibration(msgspec.Struct, frozen=True):
    """From a raw score to a probability.

    platt: 1 / (1 + exp(-(slope x raw + intercept))) with `at` (slope, intercept). isotonic: by
    lines through the points (`at`, `values`), level outside.
    """

    kind: Literal["platt", "isotonic"]
    at: tuple[float, ...]
    values: tuple[float, ...] = ()


def calibrated(calibration: Calibration, raw: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities of the raw scores."""
    if calibration.kind == "isotonic":
        return np.asarray(np.interp(raw, calibration.at, calibration.values), float)
    slope, intercept = calibration.at
    odds = slope * np.asarray(raw, float) + intercept
    return 1.0 / (1.0 + np.exp(-np.minimum(np.maximum(odds, -_LARGEST), _LARGEST)))


def inputs_of(request: Request, vectors: Vectors | None) -> Floats:
    """Return a request's features: its shape, its n-grams, and its words where they are known."""
    text = text_of(request)
    parts = [np.array(shape_of(request, text), np.float32), grams_of(text)]
    if vectors is not None:
        parts.append(words_of(text, vectors))
    return np.concatenate(parts)


class Score:
    """A complexity score; calling it gives the probability that a cheaper answer won't do.

    `weights` has one number for each feature, `means` and `scales` those of the shape's. It raises
    nothing: what it can't score is None.
    """

    def __init__(
        self,
        weights: Floats,
        shape: tuple[Floats, Floats],
        calibration: Calibration,
        vectors: Vectors | None = None,
    ) -> None:
        self.weights = weights
        self.means, self.scales = shape
        self.calibration = calibration
        self.vectors = vectors
        # The shape's standardisation is folded into one dot product and a constant.
        self._folded = weights[:-1].copy()
        self._folded[: len(SHAPE)] /= self.scales
        self._constant = float(weights[-1] - self._folded[: len(SHAPE)] @ self.means)

    def __call__(self, request: Request) -> float | None:
        """Return the probability, in [0, 1]."""
        raw = float(self._folded @ inputs_of(request, self.vectors)) + self._constant
        if not math.isfinite(raw):
            return None
        return float(calibrated(self.calibration, raw))
