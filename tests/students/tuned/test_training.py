"""Fine-tuning from end to end with tiny encoders: choices, spans, resuming, what is refused."""

import numpy as np
import pytest

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.datasets import Example
from stepdown.core.ports import silent
from stepdown.core.tasks import Segment, Signature, Task, Verdict
from stepdown.errors import NotEnoughData, Unavailable
from stepdown.students.tuned.training import held_out, train_tuned

from .conftest import ARCHITECTURES, FAST, TOPIC_TASK, TRIP_TASK, topics, trips


def right(student, rows):
    return sum(student.predict(row.input).record == row.record for row in rows) / len(rows)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_architecture_learns_choices(folders, kind):
    student = train_tuned(TOPIC_TASK, topics(200), str(folders[kind]), None, silent, FAST)
    assert right(student, topics(60, seed=1)) >= 0.9
    assert 40 <= len(student.rehearsed) <= 60


def test_spans_and_choices_are_learnt_together(folder):
    student = train_tuned(TRIP_TASK, trips(240), str(folder), None, silent, FAST)
    assert right(student, trips(60, seed=1)) >= 0.9


def test_a_run_that_was_cut_off_goes_on_and_leaves_nothing_behind(folder, tmp_path):
    class Cut(Exception):
        pass

    def cut(stage, done, total):
        if stage == "export":
            raise Cut

    rows = topics(120)
    with pytest.raises(Cut):
        train_tuned(TOPIC_TASK, rows, str(folder), tmp_path, cut, FAST)
    assert len(list(tmp_path.iterdir())) == 1
    steps = []
    train_tuned(TOPIC_TASK, rows, str(folder), tmp_path, lambda *told: steps.append(told), FAST)
    # All that is left of the fine-tuning is its end.
    assert len([step for step in steps if step[0] == "fine-tuning"]) == 1
    assert list(tmp_path.iterdir()) == []


def test_groups_are_held_out_whole(taught):
    held = held_out(taught.rows, FAST)
    for group in np.unique(taught.rows.groups):
        assert len(set(held[taught.rows.groups == group].tolist())) == 1
    assert 0.2 < held.mean() < 0.4


def test_answers_that_never_differ_are_not_fine_tuned(folder):
    rows = [Example(str(at), (Segment("user", f"hi {at}"),), {"": "yes"}) for at in range(40)]
    field = Field("", "constant", values=("yes",), distinct=1, count=40)
    task = Task("t", "same", Signature(), Anatomy("text", (field,), 40, 1, 1), Verdict("distil"))
    with pytest.raises(NotEnoughData, match="never differ"):
        train_tuned(task, rows, str(folder), None, silent, FAST)


def test_a_device_that_is_not_there_is_unavailable(folder):
    import msgspec

    gone = msgspec.structs.replace(FAST, device="cuda:7")
    with pytest.raises(Unavailable, match="not there"):
        train_tuned(TOPIC_TASK, topics(60), str(folder), None, silent, gone)
