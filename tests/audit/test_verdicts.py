import msgspec
import pytest

from stepdown.audit.anatomy import Dissection
from stepdown.audit.verdicts import AuditTerms, Evidence, calls_needed, judge
from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.filled import style_with
from stepdown.core.templates import Template

LABEL = Field("", "choice", values=("a", "b"), distinct=2)
FREE = Field("", "free", distinct=500)
CONSTANT = Field("", "constant", values=("ok",), distinct=1)


def anatomy(*fields, bound=1.0, **more):
    return Anatomy("text", fields, 500, bound, bound, **more)


def evidence(*fields, bound=1.0, calls=2_000, prose=(), more_anatomy=None, **more):
    found = Dissection(anatomy(*fields, bound=bound, **(more_anatomy or {})), prose)
    return Evidence(calls, more.pop("repeats", 0.0), found, **more)


def verdict(*args, terms=None, **more):
    return judge(evidence(*args, **more), terms or AuditTerms())


PRICED = {"spend_usd": 100.0, "priced_calls": 2_000, "days": 30.4375}


def test_bound_calls_that_cost_money_are_distilled():
    found = verdict(LABEL, **PRICED, spend_usd_month=100.0)
    assert found.decision == "distil"
    assert found.saving_usd_month == pytest.approx(100 * 0.7 * 0.98)
    assert found.break_even_days == pytest.approx(30.4375 / (100 * 0.7 * 0.98))
    assert "$100.00 a month" in " ".join(found.reasons)
    assert "70 %" in " ".join(found.reasons)


def test_unknown_money_is_no_reason_against():
    found = verdict(LABEL)
    assert (found.decision, found.saving_usd_month, found.break_even_days) == ("distil", None, None)
    assert "unknown" in " ".join(found.reasons)


def test_a_log_too_short_to_extrapolate_says_so():
    found = verdict(LABEL, spend_usd=3.0, priced_calls=2_000, days=0.01)
    assert found.decision == "distil"
    assert "less than an hour" in " ".join(found.reasons)


def test_a_month_from_half_a_day_and_calls_without_a_price_are_pointed_out():
    reasons = " ".join(
        verdict(LABEL, spend_usd=3.0, spend_usd_month=90, priced_calls=1_999, days=0.5).reasons
    )
    assert "less than a day" in reasons
    assert "1 call without a known price" in reasons


def test_thirty_calls_need_more():
    found = verdict(LABEL, calls=30)
    assert found.decision == "more data"
    assert found.missing_calls == calls_needed(AuditTerms(), 2) - 30
    assert "30 calls" in found.reasons[0]


def test_repeats_are_not_more_data():
    found = verdict(LABEL, calls=2_000, repeats=0.95)
    assert found.decision == "more data"
    assert "95.0 %" in " ".join(found.reasons)


def test_many_unseen_labels_are_too_few_calls_rather_than_free():
    found = verdict(FREE, bound=0.0, calls=100)
    assert found.decision == "more data"
    assert "closed set" in " ".join(found.reasons)


def test_sentences_are_not_possible():
    found = verdict(FREE, bound=0.0, calls=100, prose=("",))
    assert found.decision == "not possible"
    assert "sentences" in found.reasons[0]


def test_free_answers_are_not_possible_once_there_are_enough():
    assert verdict(FREE, bound=0.0).decision == "not possible"


def test_the_free_fields_are_named():
    fields = [Field("/team", "choice"), *(Field(f"/f{n}", "free") for n in range(6))]
    [blocked, rest] = verdict(*fields, bound=0.02, calls=5_000).reasons
    assert "98.0 %" in blocked
    assert "/f0, /f1, /f2, /f3 and 2 more" in blocked
    assert "could be distilled" in rest


def test_free_fields_in_some_calls_leave_those_to_the_teacher():
    found = verdict(LABEL, Field("/note", "free"), bound=0.6)
    assert found.decision == "distil"
    assert "60.0 %" in found.reasons[0]
    assert "/note" in found.reasons[1]


def test_several_tool_calls_at_once_are_not_possible():
    found = verdict(LABEL, bound=0.0, more_anatomy={"several_calls_share": 0.9})
    assert found.decision == "not possible"
    assert "90.0 %" in found.reasons[0]


def test_answers_that_can_t_be_read_are_not_possible():
    found = verdict(bound=0.0, more_anatomy={"unreadable": 500})
    assert found.decision == "not possible"


def test_one_answer_only_needs_no_model():
    found = verdict(CONSTANT)
    assert found.decision == "not worth it"
    assert "“ok”" in found.reasons[0]


def test_one_answer_only_of_few_calls_needs_more():
    assert verdict(CONSTANT, calls=30).decision == "more data"


def test_cents_are_not_worth_it():
    found = verdict(LABEL, **PRICED, spend_usd_month=0.05)
    assert found.decision == "not worth it"
    assert found.break_even_days is not None and found.break_even_days > 365
    assert "later than a year" in found.reasons[1]


def test_what_costs_nothing_never_pays():
    found = verdict(LABEL, spend_usd=0.0, spend_usd_month=0.0, priced_calls=2_000, days=30.0)
    assert (found.decision, found.break_even_days) == ("not worth it", None)
    assert "never" in found.reasons[1]


def test_the_terms_decide():
    cheap = AuditTerms(setup_usd=0.01)
    assert verdict(LABEL, terms=cheap, **PRICED, spend_usd_month=0.05).decision == "distil"
    strict = AuditTerms(budget=0.001)
    assert verdict(LABEL, terms=strict, calls=5_000).decision == "more data"


def test_a_teacher_that_disagrees_with_itself_is_pointed_out():
    found = verdict(LABEL, self_agreement=0.8, self_agreement_repeats=40)
    assert "80.0 %" in found.reasons[-1]
    few = verdict(LABEL, self_agreement=0.8, self_agreement_repeats=3)
    assert "80.0 %" not in few.reasons[-1]


def test_calls_needed_grow_with_a_tighter_budget_and_more_labels():
    usual = calls_needed(AuditTerms(), 2)
    assert usual >= 149 / 0.4  # the least calibration rows at 2 %, of which 40 % of a log can be
    assert calls_needed(AuditTerms(budget=0.01), 2) > usual
    assert calls_needed(AuditTerms(confidence=0.99), 2) > usual
    assert calls_needed(AuditTerms(), 500) > usual


def test_values_that_stand_in_the_input_are_no_labels_to_count():
    day = Field("/date", "choice", values=("a", "b"), distinct=333)
    assert verdict(LABEL, day, calls=1_600).missing_calls == 620
    read = msgspec.structs.replace(day, aligned=1.0)
    assert verdict(LABEL, read, calls=1_600).decision == "distil"


@pytest.mark.parametrize("bound", [0.0, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("calls", [1, 30, 500, 5_000])
@pytest.mark.parametrize("money", [None, 0.0, 0.1, 1e5])
def test_every_verdict_has_reasons_that_are_sentences(bound, calls, money):
    found = verdict(LABEL, FREE, bound=bound, calls=calls, spend_usd_month=money)
    assert found.reasons
    assert all(reason[0].isupper() or reason[0].isdigit() for reason in found.reasons)
    assert all(reason.endswith(".") for reason in found.reasons)


def test_templates_are_named_where_answers_fill_them_in():
    style = style_with((Template(("Hi ", "")), Template(("Bye ", ""))), ())
    found = verdict(Field("", "derived"), bound=0.9, more_anatomy={"style": style})
    assert found.decision == "distil"
    assert found.reasons[0].startswith("90.0 % of the answers fill in 2 templates")
