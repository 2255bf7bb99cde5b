"""What a certificate says of the confidence that it shares with others."""

from stepdown.core.proofs import Certificate, shared_confidence

ALONE = Certificate("joint", 0.02, 0.95, 2000, 0.9, delta=0.05)


def test_one_candidate_that_nobody_counts_shares_nothing():
    assert shared_confidence(ALONE) == ""


def test_candidates_and_attempts_are_named_with_the_level_left():
    shared = Certificate("joint", 0.02, 0.95, 2000, 0.9, delta=0.01, candidates=3, attempt=2)
    said = shared_confidence(shared)
    assert "99.00 %" in said or "99 %" in said
    assert "3 candidates weighed on these rows" in said
    assert "training 2 of this task" in said
