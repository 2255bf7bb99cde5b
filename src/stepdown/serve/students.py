"""Running students: with a deadline, bounded, and never with an exception that reaches a caller.

A hand-off to a thread and back takes about 0.07 ms, as long as many a student's prediction. So a
student first has to show, in a thread, that it is quick; then it runs on the event loop, for inputs
not much longer than those it was timed on, and goes back to the thread when it is slow. On a busy
machine every student is slow now and then, since it waits for its turn: that alone moves none.
Three faults within a minute switch a student off for five.
"""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import msgspec

from stepdown.core.calls import Answer
from stepdown.core.ports import Prediction, Student
from stepdown.core.tasks import Input, Segment

__all__ = ["Fault", "StudentRunner", "warm_up"]

_TRIALS = 20
_QUICK_S = 0.002
_SLOW_S = 0.010
_STUCK_S = 0.100
_MOST_CREDIT = 3 * _TRIALS
_LONGER = 4
_FAULTS = 3
_FAULT_WINDOW_S = 60.0
_OFF_S = 300.0
_THREADS = 2
_MOST_THREADS = 8
_WARM_UPS = 3
_ANY_INPUT: Input = (Segment("user", "warm up"),)

Clock = Callable[[], float]


class Fault(msgspec.Struct, frozen=True):
    """Why there is no prediction; `counted` faults switch a student off when there are many."""

    why: str
    counted: bool = True


class _Job(msgspec.Struct):
    """One prediction for a thread; `late`: nobody waits for it any more, and if it had begun
    then, its thread is `stuck`. `told` hears of the job, what came of it, and its seconds."""

    student: Student
    given: Input
    told: "Callable[[_Job, Prediction | Fault, float, float], None]"
    begun: float | None = None
    late: bool = False
    stuck: bool = False


_Timed = tuple[Prediction | Fault, float, float]
"""What came of a run, its seconds, and the processor's seconds in it."""


class _Record:
    """What is known of one student: how quick it is, and when it failed."""

    def __init__(self) -> None:
        self.quick_runs = 0
        self.longest = 0
        self.faults: deque[float] = deque(maxlen=_FAULTS)
        self.off_until = 0.0

    @property
    def is_quick(self) -> bool:
        return self.quick_runs >= _TRIALS

    def tried(self, seconds: float, cpu_s: float, length: int) -> None:
        """Note a run in a thread: only quick ones count, only its own work counts against it."""
        if seconds <= _QUICK_S:
            self._was_quick(length)
        elif cpu_s > _QUICK_S:
            self.quick_runs = 0

    def ran(self, seconds: float, length: int) -> None:
        """Note a run on the event loop: many quick ones make up for a slow one."""
        if seconds <= _SLOW_S:
            self._was_quick(length)
        else:
            self.quick_runs = 0 if seconds > _STUCK_S else self.quick_runs - _TRIALS

    def _was_quick(self, length: int) -> None:
        self.quick_runs = min(self.quick_runs + 1, _MOST_CREDIT)
        self.longest = max(self.longest, length)

    def failed(self, now: float) -> None:
        self.faults.append(now)
        if len(self.faults) == _FAULTS and now - self.faults[0] <= _FAULT_WINDOW_S:
            self.off_until = now + _OFF_S
            self.faults.clear()


class StudentRunner:
    """Runs any student; `waiting` bounds how many predictions may be under way in threads."""

    def __init__(self, deadline_s: float, waiting: int, clock: Clock = time.monotonic) -> None:
        self._deadline_s = deadline_s
        self._waiting = waiting
        self._clock = clock
        self._under_way = 0
        self.held: set[str] = set()
        """Students that an operator has switched off."""
        self._records: dict[str, _Record] = {}
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._stuck = 0

    def switched_off(self) -> list[str]:
        """Return the ids of the students that are off, for their faults or by an operator."""
        now = self._clock()
        failed = (key for key, record in self._records.items() if record.off_until > now)
        return [*self.held, *(key for key in failed if key not in self.held)]

    def keep_only(self, students: set[str]) -> None:
        """Forget what is known of all other students; what an operator holds off stays so, since
        it may be served again."""
        self._records = {k: record for k, record in self._records.items() if k in students}

    async def predict(self, student: Student, given: Input) -> Prediction | Fault:
        """Ask a student; whatever it does, the result is a sound prediction or a fault."""
        if student.id in self.held:
            return Fault("The student is switched off by an operator.", counted=False)
        record = self._records.setdefault(student.id, _Record())
        if record.off_until > self._clock():
            return Fault("The student is off for a while after several faults.", counted=False)
        length = sum(len(segment.text) for segment in given)
        if record.is_quick and length <= _LONGER * record.longest:
            result, seconds = _run(student, given)
            if isinstance(result, Prediction):
                record.ran(seconds, length)
                if seconds > self._deadline_s:
                    result = Fault(f"The student took more than {self._deadline_s} s.")
        else:
            result, seconds, cpu_s = await self._in_thread(student, given)
            if isinstance(result, Prediction):
                record.tried(seconds, cpu_s, length)
        if isinstance(result, Fault) and result.counted:
            record.failed(self._clock())
        return result

    def close(self) -> None:
        """Let the threads end; one that hangs in a student is left behind (it is a daemon)."""
        for _ in self._threads:
            self._jobs.put(None)
        self._threads.clear()

    async def _in_thread(self, student: Student, given: Input) -> _Timed:
        if self._under_way >= self._waiting:
            return Fault("Too many predictions are under way.", counted=False), 0.0, 0.0
        self._staff()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Timed] = loop.create_future()

        def tell(job: _Job, result: Prediction | Fault, seconds: float, cpu_s: float) -> None:
            # The loop is closed when a student outlives the gateway.
            if not loop.is_closed():
                timed = result, seconds, cpu_s
                loop.call_soon_threadsafe(self._arrived, job, future, timed)

        job = _Job(student, given, tell)
        self._under_way += 1
        self._jobs.put(job)
        try:
            async with asyncio.timeout(self._deadline_s):
                return await future
        except TimeoutError:
            job.late = True
            if job.begun is not None:
                job.stuck = True
                self._stuck += 1
                self._staff()
            if job.begun is None or time.monotonic() - job.begun < self._deadline_s / 2:
                return Fault("All threads are taken by others.", counted=False), 0.0, 0.0
            return Fault(f"The student took more than {self._deadline_s} s."), self._deadline_s, 0.0

    def _staff(self) -> None:
        """See that there are threads enough beside those that are stuck in a student."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if len(self._threads) < min(_THREADS + self._stuck, _MOST_THREADS):
            thread = threading.Thread(target=self._work, name="student", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _arrived(self, job: _Job, future: "asyncio.Future[_Timed]", timed: _Timed) -> None:
        self._under_way -= 1
        self._stuck -= job.stuck
        if not future.done():
            future.set_result(timed)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.late:
                job.told(job, Fault("It came too late.", counted=False), 0.0, 0.0)
                continue
            job.begun = time.monotonic()
            started = time.thread_time()
            result, seconds = _run(job.student, job.given)
            job.told(job, result, seconds, time.thread_time() - started)
            if job.late:
                return  # another has this one's place
            del job, result  # while it waits for the next, it would keep the last one's student


def warm_up(student: Student) -> None:
    """Let a student load what it loads at its first predictions, before anybody waits for one."""
    for _ in range(_WARM_UPS):
        _run(student, _ANY_INPUT)


def _run(student: Student, given: Input) -> tuple[Prediction | Fault, float]:
    started = time.perf_counter()
    try:
        result = _sound(student.predict(given))
    except Exception as problem:  # noqa: BLE001 - a plug-in may raise anything; it must not reach a caller
        result = Fault(f"The student failed ({type(problem).__name__}).")
    return result, time.perf_counter() - started


def _sound(returned: object) -> Prediction | Fault:
    """Check by type what a plug-in returned: an annotation is no guarantee."""
    if not isinstance(returned, Prediction):
        return Fault("The student returned something else than a prediction.")
    confidence: Any = returned.confidence
    if not isinstance(confidence, int | float) or not math.isfinite(confidence):
        return Fault("The student's confidence is not a number.")
    if not 0 <= confidence <= 1:
        return Fault("The student's confidence is not between 0 and 1.")
    novelty: Any = returned.novelty
    if not isinstance(novelty, int | float) or not 0 <= novelty <= 1:
        return Fault("The student's novelty is not between 0 and 1.")
    answer: Any = returned.answer
    if answer is not None and not isinstance(answer, Answer):
        return Fault("The student's answer is not an answer.")
    return returned
