"""Rows: scopes, folds that keep what is alike together, targets and blanks."""

import numpy as np
import pytest

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.datasets import Example
from stepdown.core.tasks import Segment
from stepdown.students.choice import ABSENT, FREE
from stepdown.students.linear.form import GATE
from stepdown.students.linear.plan import plan_of
from stepdown.students.linear.rows import FOLDS, blank_of, featurize, gather, targets_of


def rows_of(shape, fields, records, **changes):
    examples = [
        Example(
            f"e{at}", (Segment("user", f"text {at}"),), record or {}, record is not None, **changes
        )
        for at, record in enumerate(records)
    ]
    plan = plan_of(Anatomy(shape, tuple(fields), 100, 1.0, 1.0), examples)
    return plan, gather(plan, examples)


CALLS = [{"/tool": "a", "/a/x": "1"}, {"/tool": None}, {"/tool": "b"}] * 10 + [None] * 6


@pytest.fixture
def calls():
    fields = [Field("/tool", "choice"), Field("/a/x", "choice"), Field("/gone/y", "choice")]
    return rows_of("tool", fields, CALLS)


def test_a_scope_holds_the_known_rows_of_its_tool(calls):
    _, rows = calls
    assert rows.of("a").tolist() == list(range(0, 30, 3))
    assert rows.of("").tolist() == list(range(1, 30, 3))
    assert rows.texts[3] == "text 3"


def test_targets_are_learnt_on_the_rows_that_could_have_the_field(calls):
    plan, rows = calls
    targets = targets_of(plan, rows)
    assert targets.keys() == {"/tool", "/a/x", GATE}
    assert targets["/tool"].rows.tolist() == list(range(30))
    assert set(targets["/tool"].labels.values) == {"a", None, "b"} - {None} | {None}
    assert targets["/a/x"].rows.tolist() == rows.of("a").tolist()
    gate = targets[GATE]
    assert [gate.labels.values[at] for at in gate.classes] == [True] * 30 + [False] * 6


@pytest.mark.parametrize("name", ["group", "cluster"])
def test_what_is_alike_stays_in_one_fold(name):
    _, rows = rows_of("text", [Field("", "choice")], [{"": "a"}] * 50, **{name: "same"})
    assert len(set(rows.folds.tolist())) == 1


def test_other_rows_spread_over_all_folds():
    _, rows = rows_of("text", [Field("", "choice")], [{"": "a"}] * 300)
    counts = np.bincount(rows.folds, minlength=FOLDS)
    assert len(counts) == FOLDS
    assert counts.min() > 60


def test_span_fields_have_no_target_and_free_ones_their_presence():
    fields = [Field("/s", "copy"), Field("/f", "free")]
    records = [{"/s": "text"}, {"/s": "text", "/f": "prose"}] * 15
    plan, rows = rows_of("json", fields, records)
    targets = targets_of(plan, rows)
    assert targets.keys() == {"/f"}
    assert set(targets["/f"].labels.values) == {ABSENT, FREE}


@pytest.mark.parametrize(
    ("nulls", "absents", "blank"), [(0, 0, "never"), (2, 1, "null"), (1, 2, "absent")]
)
def test_a_blank_is_what_the_teacher_mostly_writes(nulls, absents, blank):
    records = [{"/s": "text"}] * 20 + [{"/s": None}] * nulls + [{"/o": 1}] * absents
    plan, rows = rows_of("json", [Field("/s", "copy")], records)
    assert blank_of(plan.parts[0], rows) == blank


def test_the_vocabulary_shrinks_with_the_number_of_classes(monkeypatch, calls):
    plan, rows = calls
    targets = targets_of(plan, rows)
    large, matrix = featurize(rows, targets, None)
    monkeypatch.setattr("stepdown.students.linear.rows._WEIGHTS", 0)
    monkeypatch.setattr("stepdown.students.linear.rows._LEAST_FEATURES", 10)
    small, _ = featurize(rows, targets, None)
    assert small.size <= 10 < large.size
    assert matrix.sparse.shape == (len(CALLS), large.size)


def test_soft_labels_stand_for_each_class_by_its_probability():
    soft = {"yes": 0.75, "no": 0.25}
    records = [{"": "yes"}, {"": "no"}] * 15
    plan, rows = rows_of("text", [Field("", "choice", values=("yes", "no"))], records, soft=soft)
    target = targets_of(plan, rows)[""]
    at, classes, weights = target.examples()
    assert weights is not None
    assert len(at) == 60
    for row in range(30):
        mine = {
            target.labels.values[c]: w
            for a, c, w in zip(at, classes, weights, strict=True)
            if a == row
        }
        assert mine == pytest.approx(soft)
    keep = np.zeros(30, bool)
    keep[:5] = True
    assert set(target.examples(keep)[0].tolist()) == set(range(5))


def test_without_soft_labels_every_row_counts_the_same():
    records = [{"": "yes"}, {"": "no"}] * 15
    plan, rows = rows_of("text", [Field("", "choice", values=("yes", "no"))], records)
    at, classes, weights = targets_of(plan, rows)[""].examples()
    assert weights is None
    assert at.tolist() == list(range(30))
    assert len(classes) == 30


def test_a_soft_label_without_a_class_leaves_the_rest():
    records = [{"": "yes"}, {"": "no"}] * 15
    soft = {"yes": 0.5, "maybe": 0.5}
    plan, rows = rows_of("text", [Field("", "choice", values=("yes", "no"))], records, soft=soft)
    _, _, weights = targets_of(plan, rows)[""].examples()
    assert weights is not None
    assert weights.tolist() == [1.0] * 30
