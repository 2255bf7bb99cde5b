"""No user has more than his share of the training rows, as soon as that can be."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.datasets import Example
from stepdown.label.caps import SHARE, capped


def rows(counts, kind="user"):
    return [
        Example(f"{name}-{at}", (), {}, source=f"{kind}-{name}" if name != "" else "")
        for name, count in counts.items()
        for at in range(count)
    ]


def shares(kept):
    counts = Counter(row.source for row in kept if row.source)
    return max(counts.values()) / counts.total()


@given(st.lists(st.integers(1, 60), min_size=200, max_size=320), st.integers(0, 3000))
def test_s18_no_user_has_more_than_half_a_percent_of_the_training_rows(counts, flood):
    named = dict(enumerate([*counts, flood + 1]))
    found = capped(rows(named))
    assert shares(found.rows) <= SHARE
    assert {row.source for row in found.rows} == {f"user-{name}" for name in named}
    assert len(found.rows) + found.dropped == sum(named.values())
    # Not one row more would do: every user who lost rows has what the largest has.
    left = Counter(row.source for row in found.rows)
    most = max(left.values())
    assert all(left[f"user-{n}"] == min(c, most) for n, c in named.items())
    again = sum(min(count, most + 1) for count in named.values())
    assert found.dropped == 0 or most + 1 > SHARE * again


def test_a_flood_of_one_user_leaves_the_others_rows():
    found = capped(rows({name: 10 for name in range(300)} | {"mallory": 5000}))
    assert Counter(row.source for row in found.rows)["user-mallory"] == 15
    assert found.dropped == 4985
    assert "4,985 training rows of 1 of 301 users" in found.note
    assert len(found.rows) == 3015


def test_which_rows_stay_depends_on_their_ids_alone():
    many = rows({name: 3 for name in range(250)} | {"mallory": 400})
    there = {row.id for row in capped(many).rows}
    assert {row.id for row in capped(many[::-1]).rows} == there


def test_where_fewer_users_are_told_apart_no_share_can_hold_and_it_says_so():
    few = rows({name: 50 for name in range(199)})
    found = capped(few)
    assert (found.rows, found.dropped) == (few, 0)
    assert "199 users are told apart: no cap of 0.5% a user can hold below 200" in found.note
    assert capped(few, share=0.01).note == ""


def test_a_teams_own_keys_and_rows_of_nobody_have_no_cap():
    keys = rows({"app": 900, "batch": 100}, kind="key")
    assert capped(keys).rows == keys
    mixed = rows({name: 1 for name in range(200)} | {"": 500})
    assert capped(mixed).rows == mixed
    assert capped([]).rows == []


def test_a_share_of_all_is_no_cap():
    many = rows({"ann": 90, "bob": 1})
    assert capped(many, share=1.0).rows == many
