"""What must not move: sure answers beside a black hole, memory over minutes, the time to start."""

import contextlib
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from stepdown.cli.bench.client import Client, request_bytes
from stepdown.cli.bench.figures import Figure
from stepdown.cli.bench.gateway import processes
from stepdown.cli.bench.gateway.ground import STUDENTS, Ground, relayed_body, running
from stepdown.cli.bench.gateway.processes import cpu_seconds, on_core, rss_mb
from stepdown.cli.bench.gateway.upstream import model_behind
from stepdown.core.ports import Progress
from stepdown.errors import Refusal

__all__ = ["black_hole", "cold_start", "memory"]

_ROUNDS = 6
_ROUND_S = 2.0
_RELAYED_EACH_S = 30
_STARTS = 5
_START_LIMIT_S = 30.0
_LOADED_S = 600.0
_SETTLED_S = 120.0
_LEAVES_EACH = 20


def black_hole(found: Ground, progress: Progress) -> list[Figure]:
    """Time sure answers while other calls are relayed, to an upstream that answers or is a hole."""
    p99: dict[bool, list[float]] = {False: [], True: []}
    with (
        model_behind() as upstream,
        running(found, upstream) as server,
        Client(server.url, found.sure[0]) as client,
    ):
        for at in range(2 * _ROUNDS):
            progress("rounds beside a black hole", at, 2 * _ROUNDS)
            hole = at % 2 == 1
            with _hole(upstream, on=hole), _relayed_beside(server.url):
                times = _posts(client, _ROUND_S)
            p99[hole].append(float(np.quantile(times, 0.99)))
    ratio = median(p99[True]) / median(p99[False])
    each = [hole / well for well, hole in zip(p99[False], p99[True], strict=True)]
    shown = f"{median(p99[False]):.2f} and {median(p99[True]):.2f} ms"
    return [
        Figure(
            "sure answers while the upstream is a black hole, p99 against an upstream that answers",
            f"{ratio:.2f}",
            ratio,
            1.5,
            True,
            spread=f"{min(each):.2f} to {max(each):.2f}",
            note=f"p99 {shown}; medians of {_ROUNDS} alternating rounds of {_ROUND_S:g} s on one "
            f"connection; {_RELAYED_EACH_S} calls a second are relayed in both",
        )
    ]


@contextlib.contextmanager
def _hole(upstream: str, *, on: bool) -> Generator[None]:
    _switch(upstream, "on" if on else "off")
    try:
        yield
    finally:
        _switch(upstream, "off")


def _switch(upstream: str, state: str) -> None:
    with Client(upstream, b"") as client:
        client.request = request_bytes(b"", f"/hole/{state}")
        client.post()


@contextlib.contextmanager
def _relayed_beside(url: str) -> Generator[None]:
    """Send calls that are relayed, at a fixed rate, whether they are answered or not."""
    stop = threading.Event()
    clients: list[Client] = []

    def send() -> None:
        while not stop.wait(1 / _RELAYED_EACH_S):
            clients.append(Client(url, relayed_body()))
            clients[-1].send()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        for client in clients:
            client.close()


def _posts(client: Client, seconds: float) -> list[float]:
    times: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        times.append(client.post()[0])
    return times


def cold_start(found: Ground, progress: Progress) -> list[Figure]:
    """Time from the start of the process to the first 200 of /readyz, without captured calls."""
    with tempfile.TemporaryDirectory() as name:
        space = Path(name) / "space"
        shutil.copytree(found.workspace, space, ignore=shutil.ignore_patterns("calls.db*"))
        started: list[tuple[float, float]] = []
        for at in range(_STARTS + 1):
            progress("starts", at, _STARTS + 1)
            started.append(_start(space, found.cores.measured))
    walls, cpus = zip(*started[1:], strict=True)
    return [
        Figure(
            f"start of the process to ready with {STUDENTS} linear students, s",
            f"{median(walls):.2f} s",
            median(walls),
            1.5,
            True,
            spread=f"{min(walls):.2f} to {max(walls):.2f}",
            note=f"median of {_STARTS}, files in the page cache; CPU time {median(cpus):.2f} s",
        )
    ]


def _start(space: Path, core: int) -> tuple[float, float]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    with on_core(core):
        process = processes.start(space, "http://127.0.0.1:9", port)
    with process:
        try:
            while not _ready(port):
                if process.poll() is not None or time.monotonic() - began > _START_LIMIT_S:
                    raise Refusal("The gateway did not become ready.")
                time.sleep(0.005)
            return time.monotonic() - began, cpu_seconds(process.pid)
        finally:
            process.kill()


def _ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    except OSError:
        return False
    return answer.startswith(b"HTTP/1.1 200") and answer.count(b'":"live"') == STUDENTS


def memory(found: Ground, progress: Progress, seconds: float = _LOADED_S) -> list[Figure]:
    """Watch the gateway's memory under ten minutes of mixed load, with callers who leave."""
    stop = threading.Event()
    sent = [0]
    with model_behind() as upstream, running(found, upstream) as server:
        mix = [*found.sure[:8], relayed_body(), relayed_body(stream=True)] * 2
        threads = [threading.Thread(target=_mixed, args=(server.url, mix, stop, sent))]
        threads += [threading.Thread(target=_mixed, args=(server.url, mix[::-1], stop, sent))]
        for thread in threads:
            thread.start()
        try:
            seen = _watched(server.pid, seconds, progress)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    settled = [(at, mb) for at, mb in seen if at >= min(_SETTLED_S, seconds / 5)]
    held = [mb for _, mb in settled]
    slope = float(np.polyfit([at for at, _ in settled], held, 1)[0]) * 600
    how = f"{sent[0]:,} calls in {seconds / 60:g} minutes: sure, relayed, streamed; one of "
    how += f"{_LEAVES_EACH} callers leaves"
    return [
        Figure(
            "memory at the end of ten minutes of load, MB",
            f"{held[-1]:.0f} MB",
            held[-1],
            250,
            True,
            spread=f"{min(held):.1f} to {max(held):.1f}",
            note=how,
        ),
        Figure(
            "its slope, MB in ten minutes",
            f"{slope:.2f} MB",
            slope,
            1,
            True,
            note="line through one value a second, from the third minute on",
        ),
    ]


def _mixed(url: str, bodies: Sequence[bytes], stop: threading.Event, sent: list[int]) -> None:
    clients = [Client(url, body) for body in bodies]
    at = 0
    while not stop.is_set():
        which = at % len(clients)
        if at % _LEAVES_EACH == _LEAVES_EACH - 1:
            clients[which].send()
            clients[which].close()
            clients[which] = Client(url, bodies[which])
        else:
            clients[which].post()
        at += 1
        sent[0] += 1
    for client in clients:
        client.close()


def _watched(pid: int, seconds: float, progress: Progress) -> list[tuple[float, float]]:
    seen: list[tuple[float, float]] = []
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        seen.append((passed, rss_mb(pid)))
        progress("seconds of load", int(passed), int(seconds))
        time.sleep(1)
    return seen
