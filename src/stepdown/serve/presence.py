"""Work for a caller who may leave, and waits that may be too long, without a task for either.

A relayed call waits three or four times. A task for the caller's leave, and asyncio's own timeout
for each wait, would be a good part of what the call costs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from types import TracebackType
from typing import Any, Self

__all__ = ["Patience", "while_there"]

_LOOK_S = 1.0

_Message = MutableMapping[str, Any]


async def while_there(work: Awaitable[None], receive: Callable[[], Awaitable[_Message]]) -> None:
    """Do the work, or break it off as soon as the caller leaves."""
    watch = _Watch(receive)
    before = watch.task.cancelling()
    try:
        await work
    except asyncio.CancelledError:
        # Another may have cancelled as well: then that is the end of the task.
        if not watch.left or watch.task.uncancel() > before:
            raise
    finally:
        watch.close()


class _Watch:
    """Waits for a caller to leave, and cancels the task that it was made in.

    It steps through `receive` by itself: its callback is the future's that `receive` waits for.
    """

    def __init__(self, receive: Callable[[], Awaitable[_Message]]) -> None:
        self.left = False
        self.task = _this_task()
        self._loop = self.task.get_loop()
        self._receive = receive
        self._waiting: Generator[Any, Any, _Message] | None = None
        self._step()

    def close(self) -> None:
        """Wait no longer."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.close()

    def _step(self, _: object = None) -> None:
        if self._waiting is None:
            self._waiting = self._receive().__await__()
        try:
            future = self._waiting.send(None)
        except StopIteration as told:
            self._waiting = None
            self._heard(told.value)
            return
        if future is None:
            self._loop.call_soon(self._again, None)
            return
        # As a task does it: the future is taken, and calls when it is done.
        future._asyncio_future_blocking = False
        future.add_done_callback(self._again)

    def _again(self, _: object) -> None:
        if self._waiting is not None:
            self._step()

    def _heard(self, message: _Message) -> None:
        if message["type"] == "http.disconnect":
            self.left = True
            self.task.cancel()
        else:
            self._step()


class Patience:
    """A bound for waits in one task, such as those for the parts of an answer.

    Each wait may take `seconds`, and none may go past the moment `until` on the monotonic clock.
    `with patience:` around a wait raises TimeoutError where it is too long; `end` it at last.
    One timer serves all waits: it looks when the last began, and is seldom set anew. Where `lost`
    says twice that nothing can come any more, as it is asked each second, no wait goes on: what has
    just come may still be on its way to the task.
    """

    __slots__ = (
        "_before",
        "_began",
        "_late",
        "_loop",
        "_lost",
        "_seconds",
        "_seen_lost",
        "_task",
        "_timer",
        "_until",
    )

    def __init__(
        self, seconds: float, until: float, lost: Callable[[], bool] | None = None
    ) -> None:
        self._lost, self._seen_lost = lost, False
        self._loop = asyncio.get_running_loop()
        self._task = _this_task()
        self._seconds = seconds
        self._until = until
        self._before = self._task.cancelling()
        self._began: float | None = None
        self._late = False
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._began = self._loop.time()
        if self._timer is None:
            self._set(self._began)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        self._began = None
        if self._late and kind is asyncio.CancelledError and self._task.uncancel() <= self._before:
            raise TimeoutError from problem

    def lasts(self, seconds: float, until: float) -> None:
        """Bound the next waits otherwise."""
        self.end()
        self._seconds, self._until = seconds, until

    def end(self) -> None:
        """Let go of the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, began: float) -> None:
        latest = min(began + self._seconds, self._until)
        if self._lost is not None:
            latest = min(latest, self._loop.time() + _LOOK_S)
        self._timer = self._loop.call_at(latest, self._look)

    def _look(self) -> None:
        self._timer = None
        began, now = self._began, self._loop.time()
        if began is None:
            return
        lost = self._lost is not None and self._lost()
        self._seen_lost, lost = lost, lost and self._seen_lost
        if lost or min(began + self._seconds, self._until) <= now:
            self._late = True
            self._task.cancel()
        else:
            self._set(began)


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task
