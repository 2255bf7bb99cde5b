"""Incident reports as a task, and a student trained on them."""

import pytest
from tests.audit.reports import reports

from stepdown.audit.anatomy import dissect
from stepdown.audit.sample import Sampled
from stepdown.core.calls import NO_TOOLS, PLAIN_TEXT, Answer
from stepdown.core.datasets import Example
from stepdown.core.ports import silent
from stepdown.core.tasks import Segment, Signature, Task, Verdict
from stepdown.students.extractive.training import train_extractive


def examples_of(count, first=0):
    return [
        Example(f"r{first + at}", (Segment("user", text),), {"": summary})
        for at, (text, summary) in enumerate(reports(count, first))
    ]


@pytest.fixture(scope="session")
def report_task():
    sample = [Sampled(("", "", text), Answer(summary)) for text, summary in reports(200)]
    anatomy = dissect(sample, Signature(), NO_TOOLS, PLAIN_TEXT).anatomy
    return Task("t", "reports", Signature(), anatomy, Verdict("distil"))


@pytest.fixture(scope="session")
def reporter(report_task):
    return train_extractive(report_task, examples_of(300), silent)
