"""Training finds the sentences that carry a summary, and refuses what is no summary."""

import msgspec
import numpy as np
import pytest
from tests.students.extractive.conftest import examples_of

from stepdown.core.digests import Limits
from stepdown.core.losses import loss_of
from stepdown.core.ports import silent
from stepdown.errors import NotEnoughData
from stepdown.students.extractive.sentences import look_at
from stepdown.students.extractive.training import _used, train_extractive


def test_the_sentences_of_a_summary_are_found():
    text = "It rained. Ann went to Rome with 20 apples. Bob slept. The apples were sold for 30."
    used = _used(look_at(text), "Ann sold 20 apples in Rome for 30.", Limits(80))
    assert used.tolist() == [False, True, False, True]


def test_no_more_is_used_than_fits():
    text = "Ann went to Rome with 20 apples. The apples were sold for 30."
    assert _used(look_at(text), "Ann, Rome, 20, apples, sold, 30", Limits(40)).sum() == 1


def test_rehearsed_guesses_are_judged_as_the_student_will_be(reporter, report_task):
    rows = examples_of(300)
    loss = loss_of(report_task.anatomy)
    losses = np.array([loss(reporter.rehearsed[row.id].record, row) for row in rows])
    sure = np.array([reporter.rehearsed[row.id].confidence for row in rows])
    assert abs((1 - losses).mean() - sure.mean()) < 0.02


def test_the_same_rows_give_the_same_student(report_task):
    a, b = (train_extractive(report_task, examples_of(60), silent) for _ in range(2))
    assert (a.rule, a.sureness) == (b.rule, b.sureness)
    assert np.array_equal(a.scorer.weights, b.scorer.weights)


def test_too_few_or_other_answers_are_refused(report_task):
    with pytest.raises(NotEnoughData, match="There are 5 usable"):
        train_extractive(report_task, examples_of(5), silent)
    anatomy = msgspec.structs.replace(report_task.anatomy, style={})
    with pytest.raises(NotEnoughData, match="no summaries"):
        train_extractive(msgspec.structs.replace(report_task, anatomy=anatomy), [], silent)
