"""The bill before and after; what is unknown stays unknown (C-13)."""

import pytest

from stepdown.core.proofs import CostRow, Latency
from stepdown.prove.contract import ProofTerms
from stepdown.prove.economics import economics
from stepdown.prove.measure import measure

DAY = 86_400.0
# A thousand calls take 36 s: at ten dollars an hour ten cents.
TOOK = Latency(36.0, 50.0, 100, "a machine")
UNTIMED = Latency(0.0, 0.0, 0, "a machine")


def measured(world, threshold=0.0):
    return measure(world.outcomes(world.rows(200)), world.task().anatomy, threshold)


def priced(world, **more):
    facts = {"calls": 2000, "priced_calls": 1000, "spend_usd": 5.0, "spend_usd_month": 50.0}
    return world.task(**(facts | more))


def costs(made):
    return {row.name: row.usd_per_1000 for row in made.rows}


def test_the_invoice(world):
    terms = ProofTerms(audit_share=0.02, labelling_usd=12.0, cpu_usd_hour=10.0)
    made = economics(priced(world), terms, measured(world), TOOK, True)
    cost = costs(made)
    assert cost["teacher"] == pytest.approx(5.0)
    assert cost["student alone"] == pytest.approx(0.1)
    assert cost["cascade"] == pytest.approx(5.0 * 0.02 + 0.1)
    assert made.calls_month == pytest.approx(20_000)
    assert made.saving_usd_month == pytest.approx(20 * (5.0 - 0.2))
    assert made.audit_usd_month == pytest.approx(20 * 5.0 * 0.02)
    assert made.break_even_days == pytest.approx(12.0 / (96.0 / 30.4375))


def test_a_student_is_paid_on_every_call_it_sees(world):
    test = measured(world, 0.9)
    coverage = test.coverage.estimate
    assert coverage < 0.9
    made = economics(priced(world), ProofTerms(cpu_usd_hour=10.0), test, TOOK, True)
    paid = 5.0 * (1 - coverage + 0.02 * coverage)
    assert costs(made)["cascade"] == pytest.approx(paid + 0.1)


def test_labels_from_the_log_cost_nothing_so_it_pays_at_once(world):
    made = economics(priced(world), ProofTerms(), measured(world), TOOK, True)
    assert made.break_even_days == 0.0
    assert "No label was paid for." in made.note


def test_an_unknown_price_is_unknown_and_not_zero(world):
    task = world.task(calls=10, first_time=0.0, last_time=10 * DAY)
    made = economics(task, ProofTerms(), measured(world), TOOK, True)
    assert [row.usd_per_1000 for row in made.rows if row.name != "student alone"] == [None, None]
    assert made.saving_usd_month is made.break_even_days is made.audit_usd_month is None
    assert made.calls_month == pytest.approx(30.4375)
    assert "price is unknown" in made.note


@pytest.mark.parametrize(
    ("latency", "behind"),
    [(UNTIMED, None), (TOOK, CostRow("mid", None, None)), (UNTIMED, CostRow("mid", 0.4, None))],
)
def test_what_answers_at_an_unknown_price_saves_nobody_knows_what(world, latency, behind):
    made = economics(priced(world), ProofTerms(behind=behind), measured(world), latency, True)
    assert costs(made)["cascade"] is None
    assert made.saving_usd_month is made.break_even_days is None
    assert made.audit_usd_month is not None
    assert "costs is unknown" in made.note
    # What answers nothing costs nothing, whatever its price.
    made = economics(priced(world), ProofTerms(behind=behind), measured(world), latency, False)
    assert (costs(made)["cascade"], made.saving_usd_month) == (5.0, 0.0)


def test_labels_at_an_unknown_price_break_even_nobody_knows_when(world):
    made = economics(priced(world), ProofTerms(labelling_usd=None), measured(world), TOOK, True)
    assert made.saving_usd_month is not None
    assert made.labelling_usd is made.break_even_days is None
    assert "what labelling has cost" in made.note


@pytest.mark.parametrize(
    "facts", [{}, {"first_time": 1.0, "last_time": 1.0}, {"first_time": 0.0, "last_time": 3600.0}]
)
def test_without_a_time_span_a_month_is_unknown(world, facts):
    made = economics(
        priced(world, spend_usd_month=None, **facts), ProofTerms(), measured(world), TOOK, True
    )
    assert made.calls_month is made.saving_usd_month is None
    assert "no times" in made.note


def test_without_a_certificate_nothing_is_saved(world):
    made = economics(priced(world), ProofTerms(), measured(world), TOOK, False)
    assert costs(made)["cascade"] == pytest.approx(5.0)
    assert made.saving_usd_month == 0.0
    assert made.break_even_days is None
    assert "never" in made.note


def test_cheaper_models_stand_beside(world):
    cheaper = CostRow("mini", 0.4, 0.9)
    terms = ProofTerms(cheaper=(cheaper,))
    assert cheaper in economics(priced(world), terms, measured(world), TOOK, True).rows
