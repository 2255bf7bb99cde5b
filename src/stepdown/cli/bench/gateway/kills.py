"""Kill -9 under load: what a caller holds in full must be in the store, and once."""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from stepdown.cli.bench.client import Client
from stepdown.cli.bench.figures import Figure
from stepdown.cli.bench.gateway.ground import Ground, relayed_body, running
from stepdown.cli.bench.gateway.processes import Running
from stepdown.cli.bench.gateway.upstream import model_behind
from stepdown.core.ports import Progress, silent
from stepdown.errors import Refusal
from stepdown.store.sqlite import read_lines

__all__ = ["Killed", "killed", "kills"]

_KILLS = 40
_FIRST_S, _STEP_S, _STEPS = 0.05, 0.035, 11
_CALLERS = 4


class Killed(msgspec.Struct, frozen=True):
    """What came of the kills: answers that callers hold in full, and of these the lost ones; lines
    in the store, and of these those that stand there twice."""

    kills: int
    acknowledged: int
    lost: int
    stored: int
    doubled: int


def kills(found: Ground, progress: Progress) -> list[Figure]:
    """Kill the gateway under load and look into its store."""
    bodies = [found.sure[0], relayed_body(), relayed_body(stream=True), found.sure[-1]]
    with model_behind() as upstream:
        counts = killed(
            lambda: running(found, upstream),
            found.workspace / "calls.db",
            bodies,
            _KILLS,
            progress,
        )
    how = f"{counts.kills} kills 50 to 400 ms into the load of {_CALLERS} callers; "
    how += f"{counts.acknowledged:,} answers were given, {counts.stored:,} calls are stored"
    return [
        Figure(name, str(count), count, 0, True, note=how, must=True)
        for name, count in (
            ("acknowledged calls lost to kill -9", counts.lost),
            ("calls stored twice after it", counts.doubled),
        )
    ]


def killed(
    start: Callable[[], AbstractContextManager[Running]],
    store: Path,
    bodies: Sequence[bytes],
    rounds: int,
    progress: Progress = silent,
) -> Killed:
    """Start the gateway on a store and kill it, again and again, each time a little later."""
    acknowledged: set[str] = set()
    for number in range(rounds):
        progress("kills", number, rounds)
        with start() as server:
            stop = threading.Event()
            threads = [
                threading.Thread(target=_ask, args=(server.url, body, stop, acknowledged))
                for body in bodies
            ]
            for thread in threads:
                thread.start()
            time.sleep(_FIRST_S + _STEP_S * (number % _STEPS))
            os.kill(server.pid, signal.SIGKILL)
            stop.set()
            for thread in threads:
                thread.join()
    stored = [json.loads(line)["id"] for line in read_lines(store)]
    known = set(stored)
    return Killed(
        rounds, len(acknowledged), len(acknowledged - known), len(stored), len(stored) - len(known)
    )


def _ask(url: str, body: bytes, stop: threading.Event, acknowledged: set[str]) -> None:
    """Ask until the connection is cut; what came back in full was acknowledged."""
    with contextlib.suppress(OSError, Refusal), Client(url, body) as client:
        while not stop.is_set():
            head = client.post()[1]
            named = head.partition(b"x-stepdown-request-id: ")[2].partition(b"\r\n")[0]
            if head.startswith(b"http/1.1 200"):
                acknowledged.add(named.decode())
