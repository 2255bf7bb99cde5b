"""How unlike the training inputs an input is: one model for every family, fitted out of fold.

A family calls `fit_novelty` with its training texts and its own vectors of them, keeps the result
with the student (`numbers` in its JSON, `arrays` among its tensors, back with `restored`), and puts
`Novelty.score(text, vector, claim)` into each `Prediction.novelty`.
"""

from stepdown.students.novelty.model import Novelty, Numbers, fit_novelty, restored
from stepdown.students.novelty.nearness import sketch

__all__ = ["Novelty", "Numbers", "fit_novelty", "restored", "sketch"]
