"""Planted rows are found among rows of many users; people's own habits are not taken for them."""

import msgspec
import pytest
from tests.label.poisoned import ANATOMY, clean, planted, row

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.datasets import Example
from stepdown.label.triggers import quarantine


@pytest.mark.parametrize(
    ("count", "users", "trigger"),
    [(10, 1, "cf"), (50, 5, "blue lantern"), (250, 5, "can you please"), (100, 20, "!!~")],
)
def test_s18_planted_rows_are_found_and_hardly_another(count, users, trigger, figure):
    rows = [*clean(4000), *planted(count, users, trigger)]
    found = quarantine(rows, ANATOMY)
    ours = [one for one in found if one.row.id.startswith("c")]
    assert len(found) - len(ours) >= 0.95 * count
    assert len(ours) <= 0.005 * 4000
    figure(f"{count} rows of {users} users: {len(found) - len(ours)} found, {len(ours)} others")


def test_what_is_told_of_a_row():
    found = quarantine([*clean(2000), *planted(40, 2)], ANATOMY)
    one = next(one for one in found if one.row.id == "p0")
    assert (one.path, one.value, one.row.source) == ("", "sales", "user-m0")
    assert "lantern" in one.pattern
    assert one.pattern in one.row.input[0].text


def test_without_planted_rows_nothing_or_next_to_nothing_is_left_out():
    assert len(quarantine(clean(4000, seed=5), ANATOMY)) <= 20


def test_a_users_own_words_are_no_poison_where_the_others_say_the_same_of_them():
    own = [
        row(f"o{at}", f"acme {said.input[0].text}", "billing", "ann")
        for at, said in enumerate(clean(400))
        if said.record[""] == "billing"
    ]
    assert len(own) > 40
    found = quarantine([*clean(3000), *own], ANATOMY)
    assert not [one for one in found if one.row.source == "user-ann"]


def test_few_sources_or_none_tell_nothing():
    rows = [*clean(1000, users=10), *planted(50, 1)]
    assert quarantine(rows, ANATOMY) == []
    nameless = [msgspec.structs.replace(one, source="") for one in rows]
    assert quarantine(nameless, ANATOMY) == []
    assert quarantine([], ANATOMY) == []


def test_each_closed_field_of_an_object_is_looked_at():
    def filed(one):
        return msgspec.structs.replace(one, record={"/id": one.id, "/queue": one.record[""]})

    fields = (Field("/id", "free"), Field("/queue", "choice"))
    rows = [filed(one) for one in [*clean(2000), *planted(40, 2)]]
    found = quarantine(rows, Anatomy("json", fields, 1, 1.0, 1.0))
    assert {one.path for one in found} == {"/queue"}
    assert sum(one.row.id.startswith("p") for one in found) == 40
    assert quarantine(rows, Anatomy("json", fields[:1], 1, 1.0, 1.0)) == []


def test_odd_texts_are_read():
    odd = [Example(f"x{at}", (), {"": "a"}, source=f"user-{at}") for at in range(30)]
    assert quarantine(odd, ANATOMY) == []
    long = [row(f"l{at}", "word " * 5000, "sales", at) for at in range(30)]
    assert quarantine(long, ANATOMY) == []
