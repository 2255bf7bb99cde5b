"""Sums by day and by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.audit.ledger import OTHERS, Ledger, ModelSpend
from stepdown.audit.prices import ATTODOLLARS
from stepdown.core.calls import Answer, Call, Request, Usage

DAY = 86_400


def call(time=None, **by):
    return Call("x", Request("m", ()), Answer("a"), "m", time, by=by)


def ledger(*calls):
    made = Ledger()
    for one, cost in calls:
        made.add(one, cost)
    return made


def test_what_is_unknown_is_in_no_sum():
    made = ledger((call(DAY, team="a"), None), (call(DAY, team="a"), ATTODOLLARS), (call(), 5))
    assert made.days() == ((1, 2, 1.0),)
    assert made.spend_by() == {"team": {"a": 1.0}}


costs = st.lists(
    st.tuples(
        st.builds(call, time=st.integers(0, 5 * DAY), team=st.sampled_from("abc")),
        st.none() | st.integers(0, 10**18),
    )
)


@given(costs, st.integers(0, 9))
def test_two_halves_are_the_whole_in_any_order(items, at):
    whole, half = ledger(*items), ledger(*items[at:])
    half.merge(ledger(*items[:at]))
    assert half.days() == whole.days()
    assert half.spend_by() == whole.spend_by()
    assert half.mix() == whole.mix()


def test_each_models_calls_are_summed_with_their_tokens():
    def by(model, usage=None):
        return Call("x", Request("asked", ()), Answer("a"), model, usage=usage)

    made = ledger(
        (by("b", Usage(10, 1)), 7), (by("a", Usage(5, 2)), 3), (by("b"), 2), (by("b"), None)
    )
    made.merge(ledger((by("", Usage(1, 1)), 1)))
    assert made.mix() == (
        ModelSpend("a", 3, 5, 2),
        ModelSpend("asked", 1, 1, 1),
        ModelSpend("b", 9, 10, 1),
    )


def test_names_without_end_are_bounded_and_no_cent_is_lost():
    made = ledger(*((call(team=str(n)), ATTODOLLARS) for n in range(1_000)))
    found = made.spend_by()["team"]
    assert len(found) == 501
    assert found[OTHERS] == 500.0
    assert sum(found.values()) == pytest.approx(1_000)


def test_no_users_name_is_in_a_sum():
    made = Ledger()
    made.add(call(user="ann", team="a"), ATTODOLLARS)
    assert made.spend_by() == {"team": {"a": 1.0}}
