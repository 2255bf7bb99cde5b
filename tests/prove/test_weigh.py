"""Weighing candidates: the same rule as a proof's, at a share of its probability of being wrong."""

import math
import random

import pytest

from stepdown.core.calls import Answer
from stepdown.core.datasets import Example
from stepdown.core.ports import Prediction
from stepdown.core.tasks import Segment
from stepdown.prove import ProofTerms, weigh


class Honest:
    """Is right with exactly the probability that it claims."""

    id, family = "h", "honest"

    def predict(self, given):
        rng = random.Random(given[0].text)
        sure = rng.betavariate(12, 1)
        label = "yes" if rng.random() < sure else "no"
        return Prediction({"": label}, Answer(label), sure)


ROWS = [Example(str(n), (Segment("user", str(n)),), {"": "yes"}) for n in range(2000)]


def test_shares_are_of_the_calibration_rows():
    found = weigh(Honest(), ROWS, ProofTerms())
    assert found.certificate.threshold is not None
    assert found.coverage == pytest.approx(found.certificate.accepted / 2000)
    assert 0.88 < found.agreement < 0.96
    assert found.p50_ms > 0


def test_sharing_makes_the_threshold_no_looser():
    alone = weigh(Honest(), ROWS, ProofTerms())
    shared = weigh(Honest(), ROWS, ProofTerms(candidates=5, attempt=3))
    assert (shared.certificate.threshold or 0) >= (alone.certificate.threshold or 1)
    assert shared.certificate.delta == pytest.approx(0.05 * 6 / (math.pi * 3) ** 2 / 5)
    assert (shared.certificate.candidates, shared.certificate.attempt) == (5, 3)


def test_without_a_threshold_nothing_is_covered():
    found = weigh(Honest(), ROWS[:20], ProofTerms())
    assert found.certificate.threshold is None
    assert found.coverage == 0


def test_the_shares_of_all_attempts_add_up_to_the_promise():
    spent = sum(3 * ProofTerms(candidates=3, attempt=j).delta for j in range(1, 20_000))
    assert spent <= 0.05
    assert spent == pytest.approx(0.05, rel=1e-3)
