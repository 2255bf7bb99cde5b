"""A wrong value is told with the entry that it stands in."""

import msgspec
import pytest

from stepdown.core.places import made_of


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    size: int
    inner: list["Entry"] = []


class Whole(msgspec.Struct):
    entries: dict[str, Entry] = {}
    others: dict[str, int] = {}


GOOD = {"size": 1}


@pytest.mark.parametrize(
    ("found", "place"),
    [
        ({"entries": {"a": GOOD, "b": {"size": "1"}}}, "entries.b.size"),
        ({"entries": {"a": GOOD, "b": 7}}, "entries.b"),
        ({"entries": {"c": {"size": 1, "inner": [GOOD, {"sise": 1}]}}}, "entries.c.inner[1]"),
        ({"others": {"a": 1, "b": "x"}}, "others.b"),
        ({"entries": 7}, "entries"),
    ],
)
def test_the_entry_is_named(found, place):
    with pytest.raises(msgspec.ValidationError) as told:
        made_of(found, Whole)
    assert str(told.value).endswith(f"`$.{place}`")


def test_a_sound_value_is_made():
    assert made_of({"entries": {"a": GOOD}}, Whole) == Whole({"a": Entry(1)})
