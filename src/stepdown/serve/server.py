"""Running a gateway: the socket, the signals, and a clean end."""

import asyncio
import errno
import gc
import logging
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

import msgspec
import uvicorn

from stepdown.errors import UsageError
from stepdown.serve.admin import make_admin
from stepdown.serve.app import App, hearing, make_app
from stepdown.serve.capture import Outbox
from stepdown.serve.desk import Desk
from stepdown.serve.gateway import Gateway, log
from stepdown.serve.live import Load
from stepdown.serve.protocol import GuardedProtocol, guarded
from stepdown.serve.reloading import Reload, no_reload
from stepdown.serve.settings import Settings, Timeouts, checked
from stepdown.serve.workers import READY

__all__ = ["holding", "serve", "serving"]

OnReady = Callable[[str], None]
_BACKLOG = 2048
_COLLECT_EVERY = 10_000
_ADMIN_BYTES = 64 * 1024
_ADMINS = 50
_LAST_PORT = 65535


def serve(
    settings: Settings,
    load: Load,
    outbox: Outbox,
    on_ready: OnReady | None = None,
    *,
    desk: Desk | None = None,
    reload: Reload = no_reload,
) -> None:
    """Serve until SIGTERM or SIGINT; `on_ready` gets the gateway's address once it accepts.

    The first signal ends it cleanly: not ready at once, what is under way finishes (or is ended
    with an error after `timeouts.drain`). The second ends it now. The outbox is the caller's to
    close, as is what the `desk` of the virtual keys holds. SIGHUP takes up what `reload` reads.

    Raises:
        UsageError: the port is in use, the host is not ours, or the settings make no sense.
        StepdownError: what `load` and the desk raise at start.
    """
    checked(settings)
    if settings.verbose:
        _log_to_stderr()
    gateway = Gateway(settings, load, outbox, desk)
    gateway.reload_config = reload
    with _listening(settings) as listener, _administered(gateway) as admin:
        _pass_over_what_is_loaded()
        _run(gateway, listener, on_ready, None, admin)


def _pass_over_what_is_loaded() -> None:
    """Keep the garbage collector to what requests leave behind, and let it come less often.

    Students and modules live as long as the process; looking through them holds every caller up for
    tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY)


@contextmanager
def serving(
    settings: Settings, load: Load, outbox: Outbox, *, desk: Desk | None = None
) -> Generator[str]:
    """Serve from a thread and give the gateway's address; the end of the block drains it.

    Raises:
        UsageError, StepdownError: as `serve` does.
    """
    checked(settings)
    gateway = Gateway(settings, load, outbox, desk)
    with _listening(settings) as listener, _administered(gateway) as admin:
        ready = threading.Event()
        stop = threading.Event()

        def accepting(address: str) -> None:
            ready.set()

        def run() -> None:
            try:
                _run(gateway, listener, accepting, stop, admin)
            finally:
                ready.set()

        thread = threading.Thread(target=run, name="gateway")
        thread.start()
        try:
            ready.wait()
            yield _address(listener)
        finally:
            stop.set()
            thread.join()


class _Beside(uvicorn.Server):
    """The server of the admin plane, on the loop of the gateway's own and ended by it."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        super().__init__(config)
        self._listener = listener
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to the gateway's server."""
        yield

    def begin(self) -> None:
        """Serve until `end`."""
        self._task = asyncio.get_running_loop().create_task(self.serve([self._listener]))

    async def end(self) -> None:
        """Let what is under way finish, and close."""
        self.should_exit = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)


class _Server(uvicorn.Server):
    """uvicorn's server; a signal ends it with status 0, a second one at once."""

    def __init__(
        self,
        config: uvicorn.Config,
        gateway: Gateway,
        on_ready: Callable[[], None],
        stop: threading.Event | None,
        admin: _Beside | None,
    ) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._admin = admin
        self._on_ready = on_ready
        self._stop = stop
        self._reload = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal, leave at the second."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._gateway.draining = True

    def _note_reload(self, sig: int, frame: FrameType | None) -> None:
        """The next tick takes up the configuration: a handler is no place for it.

        The same signal says that the terminal was closed, which is an end as it always was.
        """
        if _hung_up():
            self.handle_exit(sig, frame)
        else:
            self._reload = True

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Handle signals in the main thread; unlike uvicorn's own, don't raise them again after."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        old = {s: signal.signal(s, self.handle_exit) for s in (signal.SIGINT, signal.SIGTERM)}
        old[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._note_reload)
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the gateway before the first connection is accepted."""
        await self._gateway.open()
        await super().startup(sockets)
        if self._admin is not None:
            self._admin.begin()
        worker = self._gateway.settings.worker
        if worker is not None:
            asyncio.get_running_loop().add_reader(worker.lifeline, self._drain, worker.lifeline)
        self._on_ready()

    def _drain(self, lifeline: int) -> None:
        """The parent is gone or wants an end; it sends nothing."""
        asyncio.get_running_loop().remove_reader(lifeline)
        if not self.should_exit:
            self.handle_exit(signal.SIGTERM, None)

    async def on_tick(self, counter: int) -> bool:
        """Look whether the thread that started us wants an end."""
        if self._stop is not None and self._stop.is_set() and not self.should_exit:
            self.handle_exit(signal.SIGTERM, None)
        if self._reload:
            self._reload = False
            self._gateway.reload_soon()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then let go of the upstream."""
        longest_s = self.config.timeout_graceful_shutdown or 0
        timer = asyncio.get_running_loop().call_later(longest_s, self._cut_off)
        try:
            await super().shutdown(sockets)
        finally:
            timer.cancel()
            # In a hurry, or late: what is still under way is captured as far as it came.
            self._cut_off()
            await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
            if self._admin is not None:
                await self._admin.end()
            await self._gateway.close()

    def _cut_off(self) -> None:
        """Break off what is under way; it tells its callers, and the outbox, why."""
        self._gateway.cut_off = True
        for task in self.server_state.tasks:
            task.cancel()


def _run(
    gateway: Gateway,
    listener: socket.socket,
    on_ready: OnReady | None,
    stop: threading.Event | None,
    admin: _Beside | None,
) -> None:
    settings = gateway.settings
    protocol = guarded(settings.limits, settings.timeouts, hearing(gateway))
    config = _config(make_app(gateway), protocol, settings.timeouts)

    def ready() -> None:
        if on_ready is not None:
            on_ready(_address(listener))
        worker = gateway.settings.worker
        if worker is not None:
            os.write(worker.lifeline, READY)

    gateway.on_reload = lambda: _bound(config, protocol, gateway.settings)
    server = _Server(config, gateway, ready, stop, admin)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve([listener]))


def _config(app: App, protocol: type[GuardedProtocol], timeouts: Timeouts) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=logging.CRITICAL,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=math.ceil(timeouts.keep_alive),
        timeout_graceful_shutdown=math.ceil(timeouts.drain),
    )


@contextmanager
def _administered(gateway: Gateway) -> Generator[_Beside | None]:
    """Give the admin plane's server with its port bound; without a secret there is neither.

    Of several workers the first has it: they can't share a port whose answers are each one's own.
    """
    plane, worker = gateway.settings.admin, gateway.settings.worker
    if plane is None or (worker is not None and worker.number != 1):
        yield None
        return
    own = msgspec.structs.replace(gateway.settings, host=plane.host, port=plane.port, worker=None)
    limits = msgspec.structs.replace(own.limits, body_bytes=_ADMIN_BYTES, connections=_ADMINS)
    with _listening(own) as listener:
        protocol = guarded(limits, own.timeouts)
        yield _Beside(_config(make_admin(gateway, plane), protocol, own.timeouts), listener)


def _hung_up() -> bool:
    """Say whether the terminal that we were started from is gone."""
    try:
        os.tcgetpgrp(0)
    except OSError as problem:
        return problem.errno == errno.EIO
    return False


def _bound(config: uvicorn.Config, protocol: type[GuardedProtocol], settings: Settings) -> None:
    """Let connections, those that are open too, keep to the settings' bounds."""
    protocol.limits, protocol.timeouts = settings.limits, settings.timeouts
    config.timeout_keep_alive = math.ceil(settings.timeouts.keep_alive)
    config.timeout_graceful_shutdown = math.ceil(settings.timeouts.drain)


@contextmanager
def _listening(settings: Settings) -> Generator[socket.socket]:
    """Bind before anything else starts, so that a port in use is one sentence."""
    host, port = settings.host, settings.port
    with _explained(host, port) as family:
        listener = socket.create_server(
            (host, port),
            family=family,
            backlog=_BACKLOG,
            reuse_port=settings.worker is not None,
        )
    with listener:
        yield listener


@contextmanager
def holding(host: str, port: int) -> Generator[tuple[int, str]]:
    """Hold a port for workers that share it, accepting nothing; gives its number and address.

    Raises:
        UsageError: it is in use, or the host is not ours.
    """
    with _explained(host, port) as family:
        # Sharing is among our own alone: a port that anyone listens on is in use.
        socket.create_server((host, port), family=family).close()
        held = socket.socket(family, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((host, port))
    with held:
        yield held.getsockname()[1], _address(held)


@contextmanager
def _explained(host: str, port: int) -> Generator[socket.AddressFamily]:
    """Give the address family, and say of a port that can't be had why, and what to do."""
    if not 0 <= port <= _LAST_PORT:
        raise UsageError(f"Port {port} is not between 0 and {_LAST_PORT}; choose another.")
    try:
        yield socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except OSError as problem:
        raise UsageError(
            f"Can't listen on {host}:{port} ({_cause(problem)}); {_fix(problem)}."
        ) from problem


def _cause(problem: OSError) -> str:
    """Return the system's own words; `strerror` of a failed bind repeats the address."""
    if isinstance(problem, socket.gaierror) or problem.errno is None:
        return problem.strerror or str(problem)
    return os.strerror(problem.errno).lower()


def _fix(problem: OSError) -> str:
    if isinstance(problem, socket.gaierror) or problem.errno == errno.EADDRNOTAVAIL:
        return "give an address of this machine with --host, such as 127.0.0.1"
    return "stop what uses that port, or choose another with --port"


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
