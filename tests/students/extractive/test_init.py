"""The linear family is what trains, saves and loads these students."""

import pytest
from tests.students.extractive.conftest import examples_of

from stepdown.errors import NotEnoughData
from stepdown.students.extractive import ExtractiveStudent
from stepdown.students.linear import LinearFamily
from stepdown.students.linear.plan import plan_of

FAMILY = LinearFamily(static=False)


def test_the_linear_family_picks_where_answers_are_summaries(report_task, tmp_path):
    student = FAMILY.train(report_task, examples_of(60))
    assert isinstance(student, ExtractiveStudent)
    FAMILY.save(student, tmp_path)
    again = FAMILY.load(tmp_path, report_task)
    for row in examples_of(10, 900):
        assert again.predict(row.input) == student.predict(row.input)


def test_families_of_heads_refuse_summaries_and_name_who_does_not(report_task):
    with pytest.raises(NotEnoughData, match="the linear family picks sentences"):
        plan_of(report_task.anatomy, examples_of(60))
