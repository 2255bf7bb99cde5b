"""What the gateway adds: a student's answer over HTTP against an empty ASGI app in the same run."""

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from stepdown.cli.bench.client import Client
from stepdown.cli.bench.figures import Figure
from stepdown.cli.demo.make_log import calls
from stepdown.cli.demo.traffic import gateway
from stepdown.cli.options import Session
from stepdown.cli.run import run_tasks
from stepdown.cli.steps import audit_log
from stepdown.config import Config
from stepdown.core.ports import Progress
from stepdown.errors import Refusal
from stepdown.workspace import Workspace

__all__ = ["http_added"]

ROUNDS = 20
REQUESTS = 200
_EMPTY_APP = """
import asyncio, sys, uvicorn

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="critical", access_log=False)
"""


@contextlib.contextmanager
def _empty_app() -> Generator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, "-c", _EMPTY_APP, str(port)]) as process:
        try:
            _await(port)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


def _await(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise Refusal("The empty app of the comparison did not start.")


def _learn(data: Path, folder: Path, progress: Progress) -> None:
    """Certify ticket routing in a workspace of its own, by the product's whole path."""
    lines = [c for c in calls(data, "train") if c["metadata"]["stepdown_task"] == "ticket-routing"]
    log = folder / "log.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    session = Session(Workspace(folder / "space"), Config())
    report = audit_log(session, [str(log)], progress)
    outcomes = run_tasks(session, report, progress, "linear")
    if not any(outcome.result == "promoted" for outcome in outcomes):
        raise Refusal("Ticket routing was not certified, so there is nothing to time.")


def _confident(url: str, lines: Sequence[dict[str, Any]]) -> bytes:
    for line in lines:
        body = json.dumps(line["request"]).encode()
        with Client(url, body) as client:
            if b"x-stepdown-decision: answered" in client.post()[1]:
                return body
    raise Refusal("The student was sure of none of the held-out messages.")


def http_added(data: Path, progress: Progress) -> Sequence[Figure]:
    """Post one confident ticket over one connection to both, in alternating rounds."""
    held_out = [
        line
        for line in calls(data, "test", 50)
        if line["metadata"]["stepdown_task"] == "ticket-routing"
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _learn(data, folder, progress)
        with gateway(folder / "space", "http://127.0.0.1:9") as ours, _empty_app() as empty:
            body = _confident(ours, held_out)
            with Client(ours, body) as gateway_client, Client(empty, body) as empty_client:
                return _alternate((gateway_client, empty_client), progress)


def _alternate(clients: tuple[Client, Client], progress: Progress) -> Sequence[Figure]:
    times: list[list[float]] = [[], []]
    medians: list[float] = []
    for at in range(ROUNDS):
        progress("rounds", at, ROUNDS)
        for side, client in enumerate(clients):
            times[side].extend(client.post()[0] for _ in range(REQUESTS))
        medians.append(median(times[0][-REQUESTS:]) - median(times[1][-REQUESTS:]))
    return _figures(times, medians)


def _figures(times: list[list[float]], added: list[float]) -> list[Figure]:
    p50 = median(added)
    return [
        Figure(
            "student's answer over HTTP, capture on, p50 added to an empty ASGI app, ms",
            f"{p50:.3f} ms",
            p50,
            0.3,
            True,
            spread=f"rounds {min(added):.3f} to {max(added):.3f}",
            note=f"one connection, {ROUNDS} alternating rounds of {REQUESTS}",
        ),
        *(
            Figure(
                f"{name}, p50, ms",
                f"{float(np.quantile(spent, 0.5)):.3f} ms",
                float(np.quantile(spent, 0.5)),
                spread=f"p99 {float(np.quantile(spent, 0.99)):.3f} ms",
            )
            for name, spent in zip(("gateway", "empty ASGI app"), times, strict=True)
        ),
    ]
