"""R-10: whatever a student does, the caller sees a prediction or an escalation."""

import asyncio
import math
import threading
import time
import weakref

import pytest

from stepdown.core.calls import Answer
from stepdown.core.ports import Prediction
from stepdown.core.tasks import Segment
from stepdown.serve.students import Fault, StudentRunner, warm_up

GOOD = Prediction({}, Answer("x"), 0.9)
INPUT = (Segment("user", "hello"),)


class Student:
    family = "fake"

    def __init__(self, behave=lambda: GOOD, id="s"):
        self.id = id
        self.behave = behave
        self.threads = set()

    def predict(self, given):
        self.threads.add(threading.current_thread().name)
        return self.behave()


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def asked(student, times=1, runner=None, given=INPUT):
    """Return what came of asking a student several times."""
    runner = runner or StudentRunner(0.2, 8)

    async def go():
        return [await runner.predict(student, given) for _ in range(times)]

    try:
        return asyncio.run(go())
    finally:
        runner.close()


def boom():
    raise RuntimeError("boom")


def out_of_memory():
    raise MemoryError


@pytest.mark.parametrize(
    "behave",
    [
        boom,
        out_of_memory,
        lambda: None,
        lambda: Prediction({}, Answer("x"), math.nan),
        lambda: Prediction({}, Answer("x"), math.inf),
        lambda: Prediction({}, Answer("x"), -0.1),
        lambda: Prediction({}, Answer("x"), 1.0001),
        lambda: Prediction({}, Answer("x"), "high"),
        lambda: Prediction({}, Answer("x"), 0.9, novelty=math.nan),
        lambda: Prediction({}, Answer("x"), 0.9, novelty=1.5),
        lambda: Prediction({}, Answer("x"), 0.9, novelty=None),
        lambda: Prediction({}, "x", 0.9),
    ],
)
def test_r10_a_broken_student_is_a_fault(behave):
    (result,) = asked(Student(behave))
    assert isinstance(result, Fault)
    assert result.counted


def test_a_sound_prediction_passes_unchanged():
    assert asked(Student()) == [GOOD]
    abstains = Prediction({}, None, 0.0, abstained="novel")
    assert asked(Student(lambda: abstains)) == [abstains]


def test_r10_a_student_that_hangs_is_left_after_the_deadline():
    release = threading.Event()
    hangs = Student(lambda: release.wait(20) and GOOD)
    (result,) = asked(hangs, runner=StudentRunner(0.05, 8))
    release.set()
    assert isinstance(result, Fault)
    assert "more than 0.05 s" in result.why


def test_r10_a_student_that_was_quick_and_is_late_once_is_a_fault_all_the_same():
    pauses = [0.0] * 40 + [0.4, 0.0]
    runner = StudentRunner(0.3, 8)
    student = Student(lambda: time.sleep(pauses.pop(0)) or GOOD)
    *quick, late, after = asked(student, 42, runner)
    assert quick == [GOOD] * 40
    assert isinstance(late, Fault)
    assert after == GOOD


def test_r10_hanging_students_do_not_pile_up():
    release = threading.Event()
    runner = StudentRunner(0.05, 3)

    async def go():
        students = [Student(lambda: release.wait(20) and GOOD, f"s{i}") for i in range(6)]
        results = [await runner.predict(student, INPUT) for student in students]
        release.set()
        return results

    results = asyncio.run(go())
    runner.close()
    assert ["under way" in r.why for r in results if isinstance(r, Fault)] == [False] * 3 + [
        True
    ] * 3


def test_r10_students_that_hang_take_no_thread_from_others():
    release = threading.Event()
    hangs = Student(lambda: release.wait(20) and GOOD)
    slow = Student(lambda: time.sleep(0.005) or GOOD)
    hangs.id, slow.id = "hangs", "slow"
    runner = StudentRunner(0.2, 8)

    async def ask():
        await asyncio.gather(*(runner.predict(hangs, INPUT) for _ in range(2)))
        answers = [await runner.predict(slow, INPUT) for _ in range(4)]
        release.set()
        return answers

    assert asyncio.run(ask()) == [GOOD] * 4
    assert runner.switched_off() == []


def test_r10_who_found_no_thread_is_not_at_fault():
    release = threading.Event()
    hangs = Student(lambda: release.wait(20) and GOOD)
    waits = Student(lambda: GOOD)
    hangs.id, waits.id = "hangs", "waits"
    runner = StudentRunner(0.1, 8)

    async def ask():
        asked = [hangs, hangs, waits]
        found = await asyncio.gather(*(runner.predict(student, INPUT) for student in asked))
        release.set()
        return found

    late = Fault("The student took more than 0.1 s.")
    assert asyncio.run(ask()) == [late, late, Fault("All threads are taken by others.", False)]


def test_r10_three_faults_a_minute_switch_a_student_off_for_a_while():
    clock = Clock()
    runner = StudentRunner(0.2, 8, clock)
    student = Student(boom)
    asked(student, 3, runner)
    assert runner.switched_off() == ["s"]
    student.behave = lambda: GOOD
    (result,) = asked(student, 1, runner)
    assert isinstance(result, Fault)
    assert not result.counted
    clock.now += 301
    assert runner.switched_off() == []
    assert asked(student, 1, runner) == [GOOD]


def test_rare_faults_do_not_switch_off():
    clock = Clock()
    runner = StudentRunner(0.2, 8, clock)
    for _ in range(5):
        asked(Student(boom), 1, runner)
        clock.now += 31
    assert runner.switched_off() == []


def test_a_new_generation_forgets_the_old_students():
    runner = StudentRunner(0.2, 8)
    asked(Student(boom), 3, runner)
    runner.keep_only({"other"})
    assert runner.switched_off() == []


def test_a_student_has_to_show_in_a_thread_that_it_is_quick(monkeypatch):
    monkeypatch.setattr("stepdown.serve.students._QUICK_S", 5.0)
    monkeypatch.setattr("stepdown.serve.students._SLOW_S", 5.0)
    runner = StudentRunner(5.0, 8)
    student = Student()
    asked(student, 20, runner)
    assert student.threads == {"student"}
    student.threads.clear()
    asked(student, 5, runner)
    assert student.threads == {threading.current_thread().name}
    student.threads.clear()
    asked(student, 1, runner, (Segment("user", "hello" * 5),))
    assert student.threads == {"student"}


def test_a_student_that_became_slow_goes_back_to_the_thread(monkeypatch):
    monkeypatch.setattr("stepdown.serve.students._QUICK_S", 5.0)
    monkeypatch.setattr("stepdown.serve.students._SLOW_S", -1.0)
    runner = StudentRunner(5.0, 8)
    student = Student()
    asked(student, 21, runner)
    student.threads.clear()
    asked(student, 1, runner)
    assert student.threads == {"student"}


def test_one_wait_for_its_turn_moves_no_student(monkeypatch):
    monkeypatch.setattr("stepdown.serve.students._QUICK_S", 5.0)
    monkeypatch.setattr("stepdown.serve.students._SLOW_S", 5.0)
    monkeypatch.setattr("stepdown.serve.students._STUCK_S", 5.0)
    runner = StudentRunner(5.0, 8)
    student = Student()
    asked(student, 60, runner)
    monkeypatch.setattr("stepdown.serve.students._SLOW_S", -1.0)
    asked(student, 1, runner)
    student.threads.clear()
    asked(student, 2, runner)
    assert student.threads == {threading.current_thread().name}
    student.threads.clear()
    asked(student, 1, runner)
    assert student.threads == {"student"}


def test_a_student_that_is_stuck_once_goes_back_at_once(monkeypatch):
    monkeypatch.setattr("stepdown.serve.students._QUICK_S", 5.0)
    monkeypatch.setattr("stepdown.serve.students._SLOW_S", 5.0)
    runner = StudentRunner(5.0, 8)
    student = Student()
    asked(student, 60, runner)
    monkeypatch.setattr("stepdown.serve.students._SLOW_S", -1.0)
    monkeypatch.setattr("stepdown.serve.students._STUCK_S", -1.0)
    asked(student, 1, runner)
    student.threads.clear()
    asked(student, 1, runner)
    assert student.threads == {"student"}


def test_a_wait_in_the_thread_counts_neither_way(monkeypatch):
    monkeypatch.setattr("stepdown.serve.students._QUICK_S", 5.0)
    runner = StudentRunner(5.0, 8)
    student = Student()
    asked(student, 19, runner)
    # It took longer than is quick, and worked less: it waited.
    monkeypatch.setattr("stepdown.serve.students.time.thread_time", lambda: 0.0)
    monkeypatch.setattr("stepdown.serve.students._QUICK_S", 0.0)
    asked(student, 5, runner)
    monkeypatch.setattr("stepdown.serve.students._QUICK_S", 5.0)
    asked(student, 1, runner)
    student.threads.clear()
    asked(student, 1, runner)
    assert student.threads == {threading.current_thread().name}


def test_warming_up_asks_and_forgives():
    asked_of = []

    def broken_at_first():
        asked_of.append(1)
        if len(asked_of) == 1:
            boom()
        return GOOD

    warm_up(Student(broken_at_first))
    assert len(asked_of) == 3


def test_m7_an_idle_thread_keeps_no_student_alive():
    async def go():
        student = Student(lambda: GOOD, "leaves")
        gone = weakref.ref(student)
        assert await runner.predict(student, INPUT) == GOOD
        del student
        until = time.monotonic() + 5
        while gone() is not None and time.monotonic() < until:
            await asyncio.sleep(0.01)
        return gone()

    runner = StudentRunner(1.0, 8)
    assert asyncio.run(go()) is None
    runner.close()
