"""The law of the cap: while no answer costs more than its bound, it is never exceeded."""

from hypothesis import given
from hypothesis import strategies as st

from stepdown.label.money import Cap


@given(
    cap=st.integers(0, 1000),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 300), st.floats(0, 1)), max_size=60),
    unknown=st.sets(st.integers(0, 59)),
)
def test_what_is_spent_never_exceeds_the_cap(cap, steps, unknown):
    money, under_way, truth = Cap(cap), [], 0
    for at, (begin, bound, share) in enumerate(steps):
        if begin or not under_way:
            reserved = money.reserve(bound)
            assert (reserved is None) == (money.spent + bound > cap) or reserved == bound
            if reserved is not None:
                under_way.append(reserved)
        else:
            reserved = under_way.pop(0)
            cost = int(reserved * share)
            truth += cost  # it is paid even where nobody tells the price
            money.settle(reserved, None if at in unknown else cost)
        assert truth + sum(under_way) <= money.spent + sum(under_way)
        assert truth <= money.spent <= cap
        assert money.under_way == sum(under_way) <= money.spent - truth


def test_what_is_not_spent_comes_back():
    money = Cap(100)
    assert money.reserve(60) == 60
    assert money.reserve(60) is None
    money.settle(60, 10)
    assert (money.reserve(60), money.spent) == (60, 70)
    money.settle(60, 0)
    assert money.spent == 10


def test_what_was_spent_before_counts():
    assert Cap(100, 90).reserve(11) is None
    assert Cap(100, 90).reserve(10) == 10


def test_a_teacher_that_bills_more_than_asked_for_is_reckoned_with():
    money = Cap(1000)
    money.settle(money.reserve(100) or 0, 150)
    assert money.reserve(100) == 150
    money.settle(150, 300)
    assert money.reserve(100) == 300
    assert money.spent == 750


def test_without_a_cap_all_is_let_through_and_counted():
    money = Cap(None)
    assert (money.reserve(None), money.reserve(7)) == (0, 7)
    money.settle(0, 5)
    assert money.spent == 12
    assert Cap(10).reserve(None) is None


def test_nobody_is_paid_for_answering():
    money = Cap(100)
    money.settle(money.reserve(60) or 0, -1_000)
    assert (money.spent, money.under_way, money.reserve(60)) == (60, 0, None)
