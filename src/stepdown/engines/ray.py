"""The engine of several processes or machines: Ray Core, on a cluster of its own or the user's.

A cluster of its own listens on loopback alone, asks for a token that this process made up, keeps
its files in a folder that only this user may enter, and is gone with this process, however that
ends.
`RAY_ADDRESS` names a cluster to work on instead; who may reach that is its owner's business.
"""

import asyncio
import contextlib
import functools
import importlib
import itertools
import logging
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stepdown.core.ports import Complete, Connect, Item, Result
from stepdown.errors import StepdownError, Unavailable, UpstreamError

__all__ = ["Ray"]

_ADDRESS = "RAY_ADDRESS"
_THREADS = "OMP_NUM_THREADS"
_PREFIX = "stepdown-ray-"
_LOOPBACK = "127.0.0.1"
_TRIES_MORE = 12
_AT_ONCE = 1_000
_STORE = 64 * 1024 * 1024  # of shared memory for each worker
_LEAST_STORE = 96 * 1024 * 1024

_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # By Ray's own switch for machines whose firewall asks: every listener is on loopback.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_task_oom_retries": "3",
}


class Ray:
    """Works on many items at once. The cluster is started, or joined, by the first one.

    Work that a worker's death interrupts is done again by another, up to 12 times more.
    """

    name = "ray"

    def __init__(self, workers: int | None = None) -> None:
        self._asked = workers
        self._ray: Any = None
        self._run: Any = None
        self._folder: Path | None = None
        self._after: subprocess.Popen[bytes] | None = None
        self._before: dict[str, str | None] = {}

    @property
    def workers(self) -> int:
        """How many processes work beside this one."""
        found = int(self._started().cluster_resources().get("CPU", 1))
        return min(found, self._asked or found)

    def map(
        self, work: Callable[[Item], Result], items: Iterable[Item], ahead: int = 2
    ) -> Iterator[Result]:
        """Yield what `work` makes of each item, in order; at most `ahead` a worker are under way.

        Raises:
            Unavailable: there is no Ray, or a worker died again and again.
        """
        ray, most = self._started(), self.workers * ahead
        threads = os.environ.get(_THREADS)
        pending: deque[Any] = deque()
        try:
            for item in items:
                pending.append(self._run.remote(work, item, threads))
                if len(pending) >= most:
                    yield self._result(pending)
            while pending:
                yield self._result(pending)
        finally:
            for reference in pending:
                ray.cancel(reference, force=True)

    @contextlib.asynccontextmanager
    async def asking(self, connect: Connect) -> AsyncGenerator[Complete]:
        """Give what has the workers complete requests, in turn; one that dies is replaced."""
        ray = self._started()
        made = ray.remote(max_concurrency=_AT_ONCE)(_Asking).remote
        actors = [made() for _ in range(self.workers)]
        turns = itertools.cycle(range(len(actors)))

        async def complete(body: bytes) -> bytes:
            at = next(turns)
            actor = actors[at]
            try:
                # The connection's terms go along each time: a key has no place in Ray's records.
                found, error = await actor.ask.remote(connect, body)
            except ray.exceptions.RayError as problem:
                if actors[at] is actor:
                    actors[at] = made()
                raise UpstreamError(
                    "The worker that asked is gone; it is not known whether it was answered."
                ) from problem
            if error is not None:
                raise error
            return found

        try:
            yield complete
        finally:
            for actor in actors:
                ray.kill(actor)

    def close(self) -> None:
        """Leave the cluster; one of its own is ended, with its files."""
        if self._ray is not None:
            self._ray.shutdown()
        if self._after is not None:
            self._after.communicate()
        self._ray = self._folder = self._after = None
        before, self._before = self._before, {}
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def _result(self, pending: deque[Any]) -> Any:
        try:
            found, error = self._ray.get(pending[0])
        except self._ray.exceptions.RayError as problem:
            raise Unavailable(
                f"A Ray worker could not do its part ({type(problem).__name__}); look to its "
                "memory, or use --engine local."
            ) from problem
        pending.popleft()
        if error is not None:
            raise error
        return found

    def _started(self) -> Any:
        if self._ray is not None:
            return self._ray
        joins = bool(os.environ.get(_ADDRESS))
        if not joins:
            self._set(_SETTINGS | {"RAY_AUTH_TOKEN": _token()})
        try:
            ray: Any = importlib.import_module("ray")
        except ImportError as error:
            raise Unavailable(
                "--engine ray needs Ray, which is not installed: pip install 'stepdown[ray]'"
            ) from error
        try:
            ray.init(
                logging_level=logging.ERROR, log_to_driver=False, **({} if joins else self._own())
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise Unavailable(
                f"Ray can't be started ({str(error).splitlines()[0]}); use --engine local."
            ) from error
        # It would tell of workers' deaths on standard output, which is the command's own.
        vars(sys.modules["ray._private.worker"])["_worker_logs_enabled"] = False
        self._ray = ray
        if not joins and ray.util.get_node_ip_address() != _LOOPBACK:
            self.close()
            raise Unavailable(
                "Ray was imported before with other settings, and would listen on the network; use "
                "--engine local, or leave Ray to stepdown in this process."
            )
        self._run = ray.remote(max_retries=_TRIES_MORE)(_done)
        return ray

    def _own(self) -> dict[str, Any]:
        """Return what makes a cluster of its own."""
        # Only its user may enter. It is the other process that removes it, however this one ends.
        self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._after = subprocess.Popen(
            [sys.executable, "-m", "stepdown.engines.after", str(self._folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        workers = self._asked or len(os.sched_getaffinity(0))
        return {
            "address": "local",
            "num_cpus": workers,
            "num_gpus": 0,
            "include_dashboard": False,
            "_node_ip_address": _LOOPBACK,
            # Within it: Ray opens its own to everyone.
            "_temp_dir": str(self._folder / "r"),
            "object_store_memory": _store(workers),
            # What does not fit into memory waits: prompts are written to no disk.
            "_system_config": {"automatic_object_spilling_enabled": False},
        }

    def _set(self, settings: Mapping[str, str]) -> None:
        self._before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)


class _Asking:
    """In a worker: one connection, and many requests under way on it."""

    def __init__(self) -> None:
        self._opened = asyncio.Lock()
        self._stack = contextlib.AsyncExitStack()
        self._complete: Complete | None = None

    async def ask(self, connect: Connect, body: bytes) -> tuple[bytes, StepdownError | None]:
        async with self._opened:
            if self._complete is None:
                self._complete = await self._stack.enter_async_context(connect())
        try:
            return await self._complete(body), None
        except StepdownError as error:
            return b"", error


def _done(work: Callable[[Any], Any], item: Any, threads: str | None) -> tuple[Any, Any]:
    """Do the work in a worker, with as many threads as it would have had at home."""
    if threads is None:
        os.environ.pop(_THREADS, None)
    else:
        os.environ[_THREADS] = threads
    try:
        return work(item), None
    except StepdownError as error:
        return None, error
    except Exception as error:  # noqa: BLE001 — as it stands, not in Ray's own words: see `_result`
        return None, error


@functools.cache
def _token() -> str:
    # One for this process: Ray reads it once.
    return secrets.token_hex(32)


def _store(workers: int) -> int:
    """Return how much memory workers share: what there is room for, so that no file replaces it."""
    wanted = max(_LEAST_STORE, workers * _STORE)
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(Path("/dev", "shm")).free
        return max(_LEAST_STORE, min(wanted, free * 8 // 10))
    return wanted
