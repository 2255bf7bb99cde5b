"""What is done with requests that are over, by a thread of its own: nobody waits for it.

A request that ended costs the event loop one small value and an append; writing and sending happen
in batches. What does not fit into the queue is dropped and counted, and so is what fails.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from stepdown.core.calls import Usage
from stepdown.core.routes import Decision
from stepdown.serve.capture import Turn
from stepdown.serve.headers import header
from stepdown.serve.trace import Trace
from stepdown.wire.told import Told, told

__all__ = ["Afterwards", "Ended", "ended"]

_WAIT_S = 0.25
_BATCH = 512
_MOST_WAITING = 10_000
_LONGEST = 200

_log = logging.getLogger("stepdown.serve")


class Ended(msgspec.Struct, frozen=True, gc=False):
    """A request that is over, without any text of it.

    `time` is its beginning in seconds since the epoch, `asked` the model that the caller named,
    `upstream` the address that was asked last, `problem` a word for what went wrong ("": nothing
    that its status doesn't say).
    """

    id: str
    time: float
    seconds: float
    method: str
    path: str
    status: int
    asked: str
    model: str
    task: str
    key: str
    user_agent: str
    upstream: str
    problem: str
    bytes_in: int
    bytes_out: int
    stream: bool
    tries: int
    first_byte_s: float | None
    usage: Usage | None
    decision: Decision | None
    told: Told | None
    trace: Trace | None


def ended(turn: Turn, path: str, seconds: float) -> Ended:
    """Return what is to be known of a turn that is over; `path` is without its query."""
    request, key = turn.request, turn.caller.key
    return Ended(
        turn.id,
        turn.time,
        seconds,
        turn.method[:_LONGEST],
        path[:_LONGEST],
        turn.status or 499,
        request.model[:_LONGEST] if request else "",
        turn.model[:_LONGEST],
        turn.task_name,
        key.id if key else "",
        header(turn.headers, b"user-agent")[:_LONGEST],
        turn.upstream,
        turn.problem,
        len(turn.body),
        turn.sent,
        request is not None and request.stream,
        turn.tries,
        turn.first_byte and turn.first_byte - turn.begun,
        turn.usage,
        turn.decision,
        told(turn.completion) if turn.trace and turn.trace.sampled and turn.completion else None,
        turn.trace,
    )


class Afterwards:
    """Hands ended requests in batches to `work`, which may take its time and may fail.

    `dropped` counts those that did not fit into the queue, `failed` those whose batch failed.
    `at_end` lets go of what `work` uses, in the same thread: nobody else knows when it is done.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[Ended]], None],
        at_end: Callable[[], None] | None = None,
    ) -> None:
        self.dropped = 0
        self.failed = 0
        self._name = name
        self._work = work
        self._at_end = at_end
        self._waiting: deque[Ended] = deque()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def add(self, one: Ended) -> None:
        """Take a request that is over."""
        if len(self._waiting) >= _MOST_WAITING:
            self.dropped += 1
        else:
            self._waiting.append(one)

    def close(self, seconds: float = 2.0) -> None:
        """Finish what waits, for at most so long."""
        self._closing.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._closing.wait(_WAIT_S):
            self._empty()
        self._empty()
        if self._at_end is not None:
            self._at_end()

    def _empty(self) -> None:
        while self._waiting:
            number = min(len(self._waiting), _BATCH)
            batch = [self._waiting.popleft() for _ in range(number)]
            try:
                self._work(batch)
            except Exception as problem:  # noqa: BLE001 - whatever fails here, requests go on
                if not self.failed:
                    _log.warning("%s fails (%s); requests go on.", self._name, problem)
                self.failed += len(batch)
