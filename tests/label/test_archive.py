"""A dataset file gives back what was saved, and refuses any change (C-9)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.datasets import Dataset, Example, Quarantined, SplitReport
from stepdown.core.tasks import Segment
from stepdown.errors import ArtefactError
from stepdown.label.archive import load_dataset, named, save_dataset, without

json_values = st.one_of(st.none(), st.booleans(), st.integers(-99, 99), st.text(max_size=5))
examples = st.lists(
    st.builds(
        Example,
        id=st.text(max_size=4),
        input=st.tuples(st.builds(Segment, part=st.just("user"), text=st.text(max_size=9))),
        record=st.dictionaries(st.text(max_size=4), json_values, max_size=3),
        split=st.sampled_from(["train", "calibration", "test"]),
        time=st.none() | st.floats(0, 2e9),
        origin=st.sampled_from(["log", "random", "chosen", "synthetic"]),
        probability=st.none() | st.floats(0, 1),
    ),
    max_size=5,
).map(tuple)


def made(rows):
    return named(Dataset("", "t", rows, SplitReport(1, 2, 3, notes=("a",)), {"A": "a"}))


@given(examples)
def test_what_was_saved_is_loaded(rows):
    dataset = made(rows)
    data = save_dataset(dataset)
    assert load_dataset(data) == dataset
    assert data.count(b"\n") == len(rows) + 1
    assert dataset.id != made((*rows, Example("new", (), {}))).id


@given(examples, st.data())
def test_every_changed_byte_is_refused(rows, data):
    saved = save_dataset(made(rows))
    at = data.draw(st.integers(0, len(saved) - 1))
    changed = saved[:at] + bytes([saved[at] ^ data.draw(st.integers(1, 255))]) + saved[at + 1 :]
    with pytest.raises(ArtefactError, match="make it again"):
        load_dataset(changed)


@pytest.mark.parametrize("cut", [1, 2, 30, 10**6])
def test_a_truncated_file_is_refused(cut):
    saved = save_dataset(made((Example("a", (), {}), Example("b", (), {}))))
    with pytest.raises(ArtefactError):
        load_dataset(saved[:-cut])


def test_what_most_rows_have_is_not_written_out():
    saved = save_dataset(made((Example("a", (), {}), Example("b", (), {}, origin="chosen"))))
    _, log, chosen, _ = saved.split(b"\n")
    assert b"origin" not in log
    assert b"probability" not in log
    assert b'"origin":"chosen"' in chosen


@pytest.mark.parametrize(("version", "age"), [(1, "an older"), (9, "a newer")])
def test_a_file_of_another_version_is_said_to_be_one(version, age):
    saved = save_dataset(made((Example("a", (), {}),)))
    other = saved.replace(b'"version":2', b'"version":%d' % version)
    with pytest.raises(ArtefactError, match=f"made by {age} version .* make it again"):
        load_dataset(other)


def test_quarantined_rows_are_saved_and_can_be_taken_out_with_their_words():
    rows = tuple(Example(name, (Segment("user", name),), {"": "x"}) for name in "abc")
    notes = ("first", "2 training rows look planted and were left out: 'b' → 'x' (2)")
    apart = tuple(Quarantined(row, "", "b") for row in rows[1:])
    dataset = named(Dataset("", "t", rows[:1], SplitReport(1, 0, 0, notes=notes), {}, apart))
    assert load_dataset(save_dataset(dataset)) == dataset
    assert dataset.quarantined[0].value == "x"
    left = without(dataset, lambda row: row.id == "b")
    assert [one.row.id for one in left.quarantined] == ["c"]
    assert b'"id":"b"' not in save_dataset(left)
    assert "look planted" not in repr(left.report.notes)
    assert load_dataset(save_dataset(left)) == left
