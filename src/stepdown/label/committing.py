"""Steps on their way to the disk: in the order in which they came, many in one commit."""

import asyncio
import threading
from collections.abc import Callable, Sequence

from stepdown.core.labels import Sent, Step
from stepdown.errors import StepdownError

__all__ = ["Committer"]


class Committer:
    """Collects steps, and commits all that wait on another thread; `run` does, until `close`.

    `kept` hears of steps that are on disk, and may add more.
    """

    def __init__(
        self, commit: Callable[[Sequence[Step]], None], kept: Callable[[Sequence[Step]], None]
    ) -> None:
        self._commit = commit
        self._kept = kept
        self._one = threading.Lock()
        self._steps: list[Step] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._some = asyncio.Event()
        self._closed = False

    def add(self, step: Step) -> None:
        """Take a step; it is on disk before whatever is added later."""
        self._steps.append(step)
        self._some.set()

    async def sync(self, step: Step) -> None:
        """Take a step and wait until it is on disk.

        Raises:
            StepdownError: it can't be put there.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self.add(step)
        await done

    def close(self) -> None:
        """Let `run` end when all that was added is on disk, or can't be."""
        self._closed = True
        self._some.set()

    async def run(self) -> StepdownError | None:
        """Commit what comes until it is closed; returns why the last of it is not on disk."""
        try:
            while True:
                await self._some.wait()
                self._some.clear()
                error = await self._written()
                if self._closed and (error or not self._steps):
                    return error
        finally:
            if self._steps:  # it was cancelled: what is known now is all that will be
                self._safely(self._steps)

    async def _written(self) -> StepdownError | None:
        steps, self._steps = self._steps, []
        waiting, self._waiting = self._waiting, []
        error = await asyncio.to_thread(self._safely, steps) if steps else None
        if error is not None:
            # What was not sent need not be remembered; what was paid for is tried again.
            self._steps[:0] = [step for step in steps if not isinstance(step, Sent)]
        else:
            self._kept(steps)
        for done in waiting:
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)
        return error

    def _safely(self, steps: Sequence[Step]) -> StepdownError | None:
        with self._one:
            try:
                self._commit(steps)
            except StepdownError as error:
                return error
        return None
