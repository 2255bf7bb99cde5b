"""The design has a block for every head and layer; lessons hold the right classes and labels."""

import msgspec
import numpy as np
import pytest

from stepdown.core.datasets import Example
from stepdown.core.ports import silent
from stepdown.core.tasks import Segment
from stepdown.students.tuned.design import Lesson, lessons_of
from stepdown.students.tuned.training import _lessons

from .conftest import FAST, TOPIC_TASK, topics


def test_blocks_cover_the_outputs_without_a_gap(taught):
    for blocks, width in ((taught.design.choices, taught.design.classes),
                          (taught.design.tags, taught.design.labels)):  # fmt: skip
        covered = [at for block in blocks for at in range(block.columns.start, block.columns.stop)]
        assert covered == list(range(width))
    assert "/kind" in {block.name for block in taught.design.choices}


def test_lessons_say_which_words_are_the_values(taught, lessons):
    for lesson in lessons[:20]:
        record, text = taught.rows.records[lesson.row], taught.rows.texts[lesson.row]
        labelled = sum(int((tagged.labels > 0).sum()) for tagged in lesson.tagged.values())
        read = [path for path in ("/from", "/to") if record[path] in text]
        assert labelled >= len(read)
        for number, index in lesson.classes.items():
            path = taught.design.choices[number].name
            assert taught.targets[path].labels.values[index] == record[path]


def test_soft_labels_are_what_the_head_should_say(cutter):
    rows = topics(80)
    told = [
        Example(r.id, r.input, r.record, soft={"cards": 0.7, "loans": 0.3}) if at == 0 else r
        for at, r in enumerate(rows)
    ]
    taught = _lessons(TOPIC_TASK, told, FAST, silent)
    lessons = lessons_of(taught.design, taught.rows, taught.targets, taught.spans, cutter)
    assert sorted(lessons[0].chances(0, 3).tolist()) == pytest.approx([0, 0.3, 0.7])
    assert sorted(lessons[1].chances(0, 3).tolist()) == [0, 0, 1]


def test_a_row_whose_value_stands_nowhere_teaches_no_tags(taught, cutter):
    from stepdown.students.linear.rows import gather

    odd = Example("x", (Segment("user", "fly to rome"),), {"/from": "paris", "/to": "rome"})
    rows = gather(taught.plan, [odd])
    bare = msgspec.structs.replace(taught.design, choices=())
    (lesson,) = lessons_of(bare, rows, {}, taught.spans, cutter)
    assert isinstance(lesson, Lesson)
    whole = [n for n, b in enumerate(taught.design.tags) if b.width == 5]
    assert not any(number in lesson.tagged for number in whole)
    assert np.isfinite(lesson.size)
