"""R-10: students that fail in every way there is; each time the upstream answers, and no 5xx."""

import math
import subprocess
import sys
import time

import pytest

from stepdown.core.calls import Answer
from stepdown.core.ports import Prediction
from stepdown.serve.settings import Timeouts


def raises(given):
    raise RuntimeError("secret details")


def runs_out_of_memory(given):
    raise MemoryError


def hangs(given):
    time.sleep(10)
    return Prediction({}, Answer("late"), 1.0)


def is_killed(given):
    """A family in a process of its own, which the kernel kills for its memory."""
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", code], check=True)


def said(answer, confidence):
    return lambda given: Prediction({}, answer, confidence)


FAULTS = {
    "raises": raises,
    "out of memory": runs_out_of_memory,
    "hangs": hangs,
    "killed": is_killed,
    "NaN": said(Answer("x"), math.nan),
    "infinite": said(Answer("x"), math.inf),
    "above one": said(Answer("x"), 1.5),
    "no prediction": lambda given: {"answer": "x"},
    "no answer": said("x", 1.0),
    "sure of bytes": said(Answer(b"x"), 1.0),
    "sure of nothing": said(Answer(None), 1.0),
}

FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "Label",
        "schema": {"type": "object", "required": ["label"], "additionalProperties": False},
    },
}


@pytest.mark.parametrize("fault", FAULTS)
def test_r10_whatever_a_student_does_the_upstream_answers(start, world, complete, body, fault):
    start(timeouts=Timeouts(student=0.3))
    world.student.behave = FAULTS[fault]
    for number in range(5):
        reply = complete(body(stream=number % 2 == 1))
        assert reply.status == 200, reply.body
        assert reply.decision() == ("escalated", "student_error")
        assert b"from" in reply.body
        assert b"secret details" not in reply.body


@pytest.mark.parametrize("fault", ["raises", "killed", "NaN", "hangs"])
def test_r10_three_in_a_minute_and_it_is_asked_no_more(start, world, complete, ask, body, fault):
    start(timeouts=Timeouts(student=0.2))
    world.student.behave = FAULTS[fault]
    for _ in range(6):
        assert complete(body()).status == 200
    assert world.student.asked <= 3  # a hanging one holds the threads that others would be asked in
    assert ask("GET", "/readyz").json()["students_off"] == ["student-1"]


@pytest.mark.parametrize("text", ["garbage", "[]", '{"other": 1}', '{"label": ', '{"label": NaN}'])
def test_r10_a_confidence_of_one_in_another_shape(start, world, complete, body, text):
    world.tasks = [world.make_task("labels", body(response_format=FORMAT))]
    world.student.known["hello"] = (Answer(text), 1.0)
    start()
    reply = complete(body(response_format=FORMAT))
    assert (reply.status, reply.decision()) == (200, ("escalated", "student_error"))


def test_r10_an_unsure_student_never_speaks_because_the_upstream_is_down(
    start, world, complete, body
):
    start(base_url="http://127.0.0.1:9")
    for more in ({}, {"stream": True}):
        reply = complete(body("hm", **more))
        assert (reply.status, reply.headers["retry-after"]) == (503, "2")
        assert b"greet" not in reply.body
    assert complete(body()).decision() == ("answered", "confident")
