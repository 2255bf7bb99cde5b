"""What would change a refusal: the budget and the number of calls named do certify."""

import re

from stepdown.prove.certify import certify
from stepdown.prove.contract import ProofTerms
from stepdown.prove.explain import remedy, why


def test_the_budget_that_is_named_passes(world):
    for contract in ("joint", "selective"):
        outcomes = world.outcomes(world.rows(500, scale=0.5))
        refused = certify(outcomes, ProofTerms(budget=0.004, contract=contract))
        assert refused.threshold is None
        budget = float(re.search(r"A budget of ([\d.]+) %", refused.remedy)[1]) / 100
        passed = certify(outcomes, ProofTerms(budget=budget, contract=contract))
        assert passed.threshold is not None
        assert passed.accepted >= 0.3 * passed.rows


def test_the_number_of_calls_that_is_named_passes(world):
    rows = [world.example(at, "cards", "cards", 0.9) for at in range(100)]
    terms = ProofTerms()
    sentence = remedy((), world.outcomes(rows), terms, 4.0)
    calls, more = map(int, re.search(r"About (\d+) more calls \((\d+) of them", sentence).groups())
    assert calls == 4 * more
    rows += [world.example(f"n{at}", "cards", "cards", 0.9) for at in range(more)]
    assert certify(world.outcomes(rows), terms).threshold is not None


def test_a_hopeless_student_is_promised_nothing(world):
    rows = [world.example(at, "cards", "abstain", 0.9) for at in range(300)]
    sentence = remedy((), world.outcomes(rows), ProofTerms(), 5.0)
    assert "budget" not in sentence
    assert "About" not in sentence


def test_the_reason_names_the_first_threshold_that_could_have_passed(world):
    rows = [world.example(at, "cards", "loans", 0.99) for at in range(10)]
    rows += [world.example(f"g{at}", "cards", "cards", 0.5) for at in range(290)]
    assert "most confident 3.3 % of the calibration rows already hold 10 errors in 10" in why(
        world.outcomes(rows), ProofTerms()
    )
