"""Certificates that hold, and refusals that explain themselves."""

import msgspec
import numpy as np
import pytest
from scipy.stats import binom

from stepdown.prove.certify import ceiling, certify
from stepdown.prove.contract import ProofTerms


@pytest.mark.parametrize("contract", ["joint", "selective"])
def test_a_good_student_is_certified(world, contract):
    terms = ProofTerms(budget=0.03, contract=contract)
    made = certify(world.outcomes(world.rows(3000, scale=0.2)), terms)
    assert made.threshold is not None
    assert made.rows == (3000 if contract == "joint" else 2250)
    assert 0 < made.accepted <= made.rows
    assert made.errors <= made.bound * made.rows
    assert made.bound <= 0.03
    assert (made.why, made.remedy) == ("", "")


def test_too_few_rows_say_how_many_are_needed(world):
    made = certify(world.outcomes(world.rows(60, scale=0.0)), ProofTerms(), 5.0)
    assert made.threshold is None
    assert made.rows_needed == 149
    assert made.why == (
        "Even without an error, a budget of 2 % takes at least 149 calibration rows; there are 60."
    )
    assert "A budget of 5 % would pass today" in made.remedy
    assert "more calls" in made.remedy


def test_a_wrong_student_is_told_where_it_errs(world):
    rows = [world.example(at, "cards", "loans", 0.99) for at in range(300)]
    made = certify(world.outcomes(rows), ProofTerms())
    assert made.threshold is None
    assert "already hold 300 errors in 300" in made.why
    assert made.remedy == "The disagreements are most often in cards (300 of 300)."


def test_a_student_that_always_abstains_says_why(world):
    rows = [world.example(at, "cards", "abstain", 0.9) for at in range(300)]
    made = certify(world.outcomes(rows), ProofTerms())
    assert made.threshold is None
    assert "abstained on every calibration row (mostly: too long)" in made.why


def test_few_answers_can_keep_no_selective_promise(world):
    rows = [world.example(at, "cards", "cards", 0.9) for at in range(60)]
    rows += [world.example(f"a{at}", "cards", "abstain", 0.9) for at in range(340)]
    made = certify(world.outcomes(rows), ProofTerms(contract="selective"))
    assert made.threshold is None
    assert "149 answered ones are needed" in made.why


def test_no_rows_at_all_are_a_refusal_too(world):
    for contract in ("joint", "selective"):
        made = certify([], ProofTerms(contract=contract))
        assert made.threshold is None
        assert "there are 0" in made.why


def test_c2_certificates_break_their_promise_rarely(world):
    """150 tasks whose true risk is known: E[accept · scale · (1 − c)] for c of Beta(5, 1)."""
    grid = np.linspace(0.0, 1.0, 4001)
    density = 5 * grid**4
    broken = certified = 0
    for seed in range(150):
        scale = 0.15 + 0.05 * (seed % 4)
        made = certify(
            world.outcomes(world.rows(400, seed=seed, scale=scale)), ProofTerms(budget=0.03)
        )
        if made.threshold is None:
            continue
        certified += 1
        accept = grid >= made.threshold
        risk = np.trapezoid(np.where(accept, scale * (1 - grid) * density, 0.0), grid)
        broken += risk > 0.03
    assert certified > 100
    assert broken <= binom.ppf(0.995, 150, 0.05)


def test_a_budget_below_the_teachers_own_disagreement_is_refused(world):
    task = world.task(self_agreement=0.9, self_agreement_repeats=300)
    assert "same answer in only 90.0 %" in ceiling(task, ProofTerms(budget=0.02))
    assert ceiling(task, ProofTerms(budget=0.15)) == ""


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"self_agreement": 0.5, "self_agreement_repeats": 10},
        {"self_agreement": 29 / 30, "self_agreement_repeats": 30},
        {"self_agreement": 1.0, "self_agreement_repeats": 500},
    ],
)
def test_thin_evidence_against_the_teacher_refuses_nothing(world, facts):
    assert ceiling(world.task(**facts), ProofTerms(budget=0.02)) == ""


def test_a_threshold_that_hardly_ever_answers_is_none(world):
    sure = [
        msgspec.structs.replace(outcome, score=0.99, agrees=True)
        for outcome in world.outcomes(world.rows(20, scale=0.0))
    ]
    rows = sure + [
        msgspec.structs.replace(outcome, score=0.01, agrees=False)
        for outcome in world.outcomes(world.rows(980, scale=0.0))
    ]
    made = certify(rows, ProofTerms())
    assert made.threshold is None
    assert "answer only 2.0 %" in made.why
    assert made.remedy


def test_a_student_that_is_wrong_more_often_than_right_is_none(world):
    drawn = world.outcomes(world.rows(100, scale=0.0))
    rows = [
        msgspec.structs.replace(
            outcome, score=0.9 if at < 6 else 0.1, agrees=at % 3 == 0 and at < 6
        )
        for at, outcome in enumerate(drawn)
    ]
    made = certify(rows, ProofTerms(budget=0.1))
    assert made.threshold is None
    assert "6 of 100 calibration rows, and 4 of those" in made.why
    assert "wrong more often than right" in made.why


def graded_rows(world, count, mean=0.1):
    """Return outcomes that lose more the less sure they are, up to twice `mean`."""
    chance = np.random.default_rng(3)
    found = world.outcomes(world.rows(count))
    return [
        msgspec.structs.replace(
            one, loss=min(1.0, 2 * mean * (1 - one.score) * 5 * chance.uniform())
        )
        for one in found
    ]


def test_graded_answers_are_certified_by_their_mean_loss(world):
    rows = graded_rows(world, 1000)
    made = certify(rows, ProofTerms(budget=0.1))
    taken = [one for one in rows if one.score >= made.threshold]
    assert made.graded
    assert made.accepted == len(taken) > 500
    assert made.risk == pytest.approx(sum(one.loss for one in taken) / 1000)
    assert made.risk < made.bound <= 0.1
    tighter = certify(rows, ProofTerms(budget=0.03))
    assert tighter.accepted < made.accepted


def test_graded_answers_that_lose_too_much_are_told_by_their_mean(world):
    rows = [msgspec.structs.replace(one, loss=0.8) for one in graded_rows(world, 400)]
    made = certify(rows, ProofTerms(budget=0.1))
    assert made.threshold is None
    assert "wrong more often than right" in made.why
    rows = [msgspec.structs.replace(one, loss=0.4, score=0.9) for one in rows]
    assert "lose 40.0 % on average" in certify(rows, ProofTerms(budget=0.1)).why


def test_the_selective_contract_has_no_rule_for_graded_answers(world):
    made = certify(graded_rows(world, 400), ProofTerms(contract="selective"))
    assert made.threshold is None
    assert made.remedy == "Use --contract joint."
