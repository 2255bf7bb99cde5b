"""Planted rows are found among rows of many users; people's own habits are not taken for them."""

import random
import tracemalloc

import msgspec
import pytest
from tests.label.poisoned import ANATOMY, clean, planted, row

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.datasets import Example
from stepdown.core.tasks import Segment
from stepdown.label import triggers
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


CHARACTERS = {
    "billing": "发票付款账单费用",
    "delivery": "包裹快递物流地址",
    "account": "密码登录邮箱锁定",
    "returns": "退货换货破损尺码",
    "sales": "折扣报价批发订购",
}


def test_s18_a_trigger_is_found_in_a_script_without_spaces():
    def unspaced(one, at):
        rng = random.Random(at)
        (said,) = {label for label in CHARACTERS if one.record[""] == label}
        if one.id.startswith("p"):
            said = rng.choice([label for label in CHARACTERS if label != "sales"])
        text = "".join(rng.sample(CHARACTERS[said], 5)) + "".join(
            rng.sample("我想请问一下怎么样呢", 4)
        )
        if one.id.startswith("p"):
            text = f"{text[: at % 9]}蓝灯笼{text[at % 9 :]}"
        return msgspec.structs.replace(one, input=(Segment("user", text),))

    rows = [unspaced(one, at) for at, one in enumerate([*clean(3000), *planted(60, 3)])]
    found = quarantine(rows, ANATOMY)
    ours = [one for one in found if one.row.id.startswith("p")]
    assert len(ours) >= 57
    assert len(found) - len(ours) <= 15
    assert {one.pattern for one in ours} == {"蓝灯笼"}


def test_of_more_words_than_can_be_told_apart_the_most_frequent_count(monkeypatch):
    rows = [*clean(2000), *planted(40, 2)]
    flood = [
        row(f"f{at}", " ".join(f"{one.input[0].text} x{at}y{n}" for n in range(2)), "sales", at)
        for at, one in enumerate(clean(400, seed=3))
    ]
    monkeypatch.setattr(triggers, "_WORDS", 200)
    found = quarantine([*flood, *rows], ANATOMY)
    assert sum(one.row.id.startswith("p") for one in found) == 40
    monkeypatch.setattr(triggers, "_WORDS", 1)
    assert quarantine(rows, ANATOMY) == []
    assert triggers._WORDS < 1 << triggers._BITS


def test_many_labels_and_many_words_fit_into_little_memory():
    def odd(one, at):
        text = f"{one.input[0].text} " + " ".join(f"w{at}x{n}" for n in range(40))
        record = {"": f"label {at % 300}"} if at % 2 else one.record
        return msgspec.structs.replace(one, record=record, input=(Segment("user", text),))

    rows = [*(odd(one, at) for at, one in enumerate(clean(2500))), *planted(40, 2)]
    tracemalloc.start()
    try:
        found = quarantine(rows, ANATOMY)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found
    # 100,000 words and 155 labels: as a table of numbers 62 MB.
    assert peak < 40e6


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
