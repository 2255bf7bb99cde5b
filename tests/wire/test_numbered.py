"""Flattened lists."""

from hypothesis import given
from hypothesis import strategies as st

from stepdown.wire.numbered import numbered


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b.c"]), st.integers(), min_size=1)))
def test_what_was_flattened_comes_back_in_order(objects):
    flat = {f"p.{at}.{key}": value for at, o in enumerate(objects) for key, value in o.items()}
    assert numbered(dict(reversed(flat.items())), "p") == objects


def test_ten_comes_after_nine_and_what_is_no_number_nowhere():
    found = numbered({"p.10.x": 10, "p.9.x": 9, "p.one.x": 1, "p.99999999.x": 0, "p.3": 3}, "p")
    assert found == [{"x": 9}, {"x": 10}]
