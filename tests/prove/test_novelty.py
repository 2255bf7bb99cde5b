"""The novelty gate: its share of what would be answered, and never a higher joint risk."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.calls import Answer
from stepdown.core.datasets import Example
from stepdown.core.ports import Prediction
from stepdown.core.stats import NEVER
from stepdown.core.tasks import Segment
from stepdown.prove.certify import certify
from stepdown.prove.contract import ProofTerms
from stepdown.prove.novelty import cutoff_of, gated, promising, refused
from stepdown.prove.outcomes import Outcome

EXAMPLE = Example("1", (Segment("user", "x"),), {"": "a"})


def outcome(score, novelty, agrees=True):
    prediction = Prediction({"": "a"}, Answer("a"), max(score, 0.0), novelty=novelty)
    return Outcome(EXAMPLE, prediction, score, agrees)


def traffic(rows, seed, tie=0.0):
    """Exchangeable rows: a novel one is less sure, and oftener wrong."""
    chance = np.random.default_rng(seed)
    novelty = chance.random(rows)
    score = np.clip(1 - novelty * chance.random(rows) * 0.5, 0, 1)
    wrong = chance.random(rows) < 0.3 * novelty**4
    novelty = np.round(novelty, 1) if tie else novelty
    return [
        outcome(s, n, not w)
        for s, n, w in zip(score.tolist(), novelty.tolist(), wrong.tolist(), strict=True)
    ]


@given(st.integers(1, 300), st.floats(0.001, 0.5), st.booleans())
def test_of_its_own_rows_the_gate_refuses_at_most_its_share(rows, share, tie):
    made = traffic(rows, rows, tie)
    cutoff = cutoff_of(made, 0.0, share)
    if cutoff is not None:
        assert sum(refused(row, cutoff) for row in made) <= share * (rows + 1)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_of_further_answered_rows_it_refuses_at_most_its_share_on_average(share):
    threshold, refusals, answered = 0.8, 0, 0
    for seed in range(150):
        cutoff = cutoff_of(traffic(300, seed), threshold, share)
        fresh = [row for row in traffic(200, 10_000 + seed) if row.score >= threshold]
        refusals += sum(refused(row, cutoff) for row in fresh)
        answered += len(fresh)
    slack = 4 * math.sqrt(share / 150 / 250)
    assert refusals / answered <= share + slack
    assert refusals / answered >= share / 2 - slack


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans()), min_size=1),
       st.floats(0, 1), st.none() | st.floats(0, 1))  # fmt: skip
def test_no_gate_raises_the_joint_risk_at_any_threshold(rows, threshold, cutoff):
    made = [outcome(*row) for row in rows]

    def wrong(those):
        return sum(row.score >= threshold and not row.agrees for row in those)

    behind = gated(made, cutoff)
    assert wrong(behind) <= wrong(made)
    assert all(b.score in (a.score, NEVER) for a, b in zip(made, behind, strict=True))


@pytest.mark.parametrize("share", [0.0, 0.05])
def test_there_is_no_gate_without_a_share_or_without_novelty(share):
    silent = [outcome(0.9, 0.0) for _ in range(50)]
    assert cutoff_of(silent, 0.5, share) is None
    assert cutoff_of(traffic(50, 0), 0.5, 0.0) is None
    assert cutoff_of([], 0.5, share) is None
    assert gated(silent, None) == silent


def test_few_rows_can_only_refuse_what_is_beyond_them_all():
    made = [outcome(0.9, at / 10) for at in range(10)]
    assert cutoff_of(made, 0.5, 0.01) == 0.9
    assert cutoff_of(made, 0.5, 0.5) == 0.5


def test_only_rows_that_would_be_answered_count():
    made = [outcome(0.9, at / 100) for at in range(50)] + [outcome(0.1, 0.99)] * 50
    assert (cutoff_of(made, 0.5, 0.1) or 1) < 0.5


def test_a_joint_certificate_has_the_same_threshold_with_and_without_the_gate():
    made = traffic(3000, 5)
    with_gate, without = (certify(made, ProofTerms(novelty=share)) for share in (0.05, 0.0))
    assert with_gate.threshold == without.threshold is not None
    assert (with_gate.accepted, with_gate.bound) == (without.accepted, without.bound)
    assert (without.novelty_cutoff, without.novelty_cost, without.novelty_refused) == (None, 0, 0)
    answered = [row for row in made if row.score >= (with_gate.threshold or 1)]
    cost = sum(refused(row, with_gate.novelty_cutoff) for row in answered) / 3000
    assert with_gate.novelty_cost == cost
    assert 0 < cost <= 0.05 <= with_gate.novelty_refused + 0.05


def test_a_selective_certificate_counts_behind_the_gate():
    made = traffic(4000, 6)
    terms = ProofTerms(budget=0.03, contract="selective", novelty=0.2)
    certificate = certify(made, terms)
    assert certificate.threshold is not None
    assert certificate.rows == 3000
    assert certificate.novelty_cutoff is not None
    assert certificate.accepted <= 3000 * (1 - certificate.novelty_refused) + 200
    # What was certified is what is answered behind the gate.
    behind = gated(made, certificate.novelty_cutoff)
    taken = [row for row in behind if row.score >= certificate.threshold]
    assert sum(not row.agrees for row in taken) / len(taken) <= 0.03


def test_selective_certificates_behind_a_gate_break_their_promise_rarely():
    population = traffic(60_000, 99)
    broken = certified = 0
    for seed in range(60):
        rows = np.random.default_rng(seed).integers(0, len(population), 1200).tolist()
        terms = ProofTerms(budget=0.03, contract="selective", novelty=0.1)
        made = certify([population[at] for at in rows], terms)
        if made.threshold is None:
            continue
        certified += 1
        taken = [
            row
            for row in population
            if row.score >= made.threshold and not refused(row, made.novelty_cutoff)
        ]
        broken += sum(not row.agrees for row in taken) > 0.03 * len(taken)
    assert certified > 30
    # Of 60 certificates at 95 %, more than 8 broken has a probability of 0.3 %.
    assert broken <= 8


def test_the_promising_threshold_is_the_loosest_within_budget():
    made = [outcome(0.9, 0.1) for _ in range(98)] + [outcome(0.5, 0.1, False) for _ in range(10)]
    assert 0.5 < promising(made, 0.02) <= 0.9
    assert promising(made, 0.5) == 0.0
    assert promising([outcome(0.9, 0.1, False)], 0.02) == 0.0


def test_nothing_certified_has_no_gate():
    made = certify([outcome(0.9, 0.5, False)] * 400, ProofTerms())
    assert (made.threshold, made.novelty_cutoff) == (None, None)


def test_a_gated_row_keeps_what_was_predicted():
    row = outcome(0.9, 0.8)
    assert gated([row], 0.5) == [msgspec.structs.replace(row, score=NEVER)]
    assert gated([row], 0.8) == [row]
