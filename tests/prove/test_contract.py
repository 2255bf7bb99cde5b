"""The threshold rules as a proof uses them."""

import pytest

from stepdown.core.stats import fixed_sequence
from stepdown.prove.contract import ProofTerms, base, counts, threshold_of, tuned_and_certified
from stepdown.prove.outcomes import scores_and_wrong


def test_the_joint_contract_certifies_on_every_row(world):
    outcomes = world.outcomes(world.rows(600))
    tuning, certifying = tuned_and_certified(outcomes, ProofTerms())
    assert (list(tuning), list(certifying)) == ([], outcomes)
    found = threshold_of(tuning, certifying, ProofTerms(), 0.02)
    assert found == fixed_sequence(*scores_and_wrong(outcomes), 0.02, 0.05)


def test_the_selective_contract_tunes_on_a_quarter_that_certifies_nothing(world):
    outcomes = world.outcomes(world.rows(600))
    terms = ProofTerms(contract="selective")
    tuning, certifying = tuned_and_certified(outcomes, terms)
    names = [{outcome.example.id for outcome in part} for part in (tuning, certifying)]
    assert [len(part) for part in names] == [150, 450]
    assert not names[0] & names[1]
    assert tuned_and_certified(outcomes, terms) == (tuning, certifying)


def test_counts_and_their_base(world):
    outcomes = world.outcomes(
        [world.example(1, "cards", "cards", 0.9), world.example(2, "cards", "loans", 0.8)]
    )
    assert counts(outcomes, 0.85) == (1, 0)
    assert counts(outcomes, 0.8) == (2, 1)
    assert base(outcomes, 1, ProofTerms()) == 2
    assert base(outcomes, 1, ProofTerms(contract="selective")) == 1


@pytest.mark.parametrize(("confidence", "delta"), [(0.95, 0.05), (0.9, 0.1), (0.99, 0.01)])
def test_delta_has_no_rounding_dust(confidence, delta):
    assert ProofTerms(confidence=confidence).delta == delta
