"""Training: the climb from the smallest family up, and the choice among the rungs it reached.

Not here: how a family trains (`students/`), where its files go (`workspace`), and whether the
student keeps its promise (`prove/`).
"""

from stepdown.train.choice import Candidate, Prices, choose, confidence_shares, expected
from stepdown.train.climb import Rung, climb, labels_a_class
from stepdown.train.doubts import Doubt, doubts
from stepdown.train.estimate import Estimate, estimate

__all__ = [
    "Candidate",
    "Doubt",
    "Estimate",
    "Prices",
    "Rung",
    "choose",
    "climb",
    "confidence_shares",
    "doubts",
    "estimate",
    "expected",
    "labels_a_class",
]
