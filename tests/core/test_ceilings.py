"""How often a teacher agrees with itself, and which budgets that rules out."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.anatomy import Anatomy
from stepdown.core.ceilings import ceiling_of, logged_ceiling, standing, too_tight
from stepdown.core.stats import cp_interval
from stepdown.core.tasks import Signature, Task, Verdict

A, B = {"": "a"}, {"": "b"}


def task(**facts):
    return Task("t", "t", Signature(), Anatomy("text", (), 1, 1.0, 1.0), Verdict("distil"), **facts)


def test_pairs_have_an_exact_interval():
    made = ceiling_of([(A, A)] * 90 + [(A, B)] * 10, "m", "now")
    assert made.items == 100
    assert made.asked == 2
    assert (made.agreement.count, made.agreement.estimate) == (90, 0.9)
    assert (made.agreement.low, made.agreement.high) == cp_interval(90, 100)
    assert (made.teacher, made.made_at, made.fields) == ("m", "now", ())


def test_an_item_asked_often_counts_once():
    made = ceiling_of([(A, A, B)] * 30 + [(A, A, A)] * 70)
    assert made.agreement.estimate == pytest.approx(0.7 + 0.3 / 3)
    assert made.agreement.count == 70
    assert made.agreement.low < 0.8 < made.agreement.high
    # Three answers of one item are no three draws: the interval is wider than 300 pairs' would be.
    low, high = cp_interval(240, 300)
    assert made.agreement.low < low
    assert made.agreement.high > high


def test_what_is_no_label_agrees_with_itself_alone():
    assert ceiling_of([(None, None)]).agreement.estimate == 1.0
    assert ceiling_of([(None, A)]).agreement.estimate == 0.0
    assert ceiling_of([(A,), ()]) is None


def test_fields_are_told_apart():
    items = [({"/a": 1, "/b": "x"}, {"/a": 1.0, "/b": "y"})] * 5 + [({"/a": 2}, {"/a": 2})] * 5
    made = ceiling_of(items)
    fields = dict(made.fields)
    assert fields["/a"].estimate == 1.0
    assert (fields["/b"].estimate, fields["/b"].total) == (0.0, 5)


@given(st.lists(st.lists(st.sampled_from([A, B, None]), max_size=4), max_size=30))
def test_the_interval_holds_the_estimate(items):
    made = ceiling_of(items)
    if made is not None:
        agreement = made.agreement
        assert 0 <= agreement.low <= agreement.estimate + 1e-9
        assert agreement.estimate <= agreement.high + 1e-9
        assert agreement.high <= 1
        assert made.items == sum(len(item) > 1 for item in items)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    draw, missed = random.Random(7), 0
    for _ in range(300):
        # Two of three answers of an item depend on each other through the item.
        noise = [draw.choice([0.0, 0.4]) for _ in range(60)]
        items = [[A if draw.random() > p else B for _ in range(3)] for p in noise]
        agreement = ceiling_of(items).agreement
        truth = 0.5 + 0.5 * (0.6**2 + 0.4**2)
        missed += not agreement.low <= truth <= agreement.high
    assert missed <= 25


def test_a_budget_below_the_disagreement_is_refused_with_one_that_is_left_open():
    ceiling = ceiling_of([(A, A)] * 80 + [(A, B)] * 20)
    why = too_tight(ceiling, 0.02)
    assert "same answer in only 80.0 % of the cases" in why
    assert "100 repeated inputs" in why
    possible = float(why.rpartition("is ")[2].rstrip("."))
    assert too_tight(ceiling, possible) == ""
    assert too_tight(ceiling, possible - 0.001) != ""
    assert too_tight(ceiling_of([(A, B)] * 19), 0.02) == ""
    assert too_tight(None, 0.02) == ""


def test_the_log_tells_a_ceiling_for_nothing():
    assert logged_ceiling(task()) is None
    made = logged_ceiling(task(self_agreement=0.9, self_agreement_repeats=300))
    assert made.agreement.count == 270
    assert too_tight(made, 0.02)
    assert too_tight(made, 0.15) == ""


def test_what_was_asked_again_counts_before_what_the_log_repeats():
    noisy = task(self_agreement=0.5, self_agreement_repeats=300)
    asked = ceiling_of([(A, A)] * 100, "m")
    assert standing(asked, noisy) == asked
    assert standing(None, noisy) == logged_ceiling(noisy)
    assert standing(ceiling_of([(A, A)] * 5), noisy) == logged_ceiling(noisy)
