"""What all parts of the benchmark stand on: three students of the bundled log, and sure requests.

Training takes a minute. `STEPDOWN_BENCH_SPACE` names a folder to keep the students in, for those
who measure again and again; it is never the published figures' way.
"""

import contextlib
import importlib.resources
import json
import os
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from stepdown.cli.bench.client import Client
from stepdown.cli.bench.gateway.processes import Cores, Running, cores, gateway, on_core
from stepdown.cli.options import Session
from stepdown.cli.run import run_tasks
from stepdown.cli.steps import audit_log
from stepdown.config import Config
from stepdown.core.ports import Progress
from stepdown.errors import Refusal
from stepdown.workspace import Workspace
from stepdown.workspace.policies import read_policy

__all__ = ["Ground", "forget_calls", "ground", "relayed_body", "running"]

TASK = "ticket-routing"
STUDENTS = 3
_CALLS = {TASK: 4000}
_CALLS_OF_OTHERS = 2000
_NOWHERE = "http://127.0.0.1:9"
_SURE = 40
_KEPT = "STEPDOWN_BENCH_SPACE"


class Ground(msgspec.Struct, frozen=True):
    """A workspace with students, requests that ticket routing's student answers, and the cores."""

    workspace: Path
    sure: list[bytes]
    cores: Cores


def relayed_body(*, stream: bool = False) -> bytes:
    """Return a request of no task, of some 600 bytes."""
    system = (
        "You are the support assistant of a bank. Answer in three sentences at most, in plain "
        "words, without promises about times that are not in the conditions. If you can't help, "
        "say who can. Leave it to the caller to say what they want next, and end politely."
    )
    user = "I sent money to my landlord on Monday, and it still has not arrived. What can I do now?"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    more: dict[str, Any] = {"stream": True} if stream else {}
    body = {"model": "gpt-5.2", "messages": messages, "temperature": 0.2, **more}
    return json.dumps(body).encode()


@contextlib.contextmanager
def ground(progress: Progress) -> Generator[Ground]:
    """Learn the students, find sure requests, and stay on the load's core meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        space = Path(os.environ.get(_KEPT) or name).resolve()
        if not _learnt(space):
            _learn(space, progress)
        which = cores()
        with on_core(which.load):
            progress("sure requests", 0, 0)
            yield Ground(space, _sure(space, which), which)


def forget_calls(found: Ground) -> None:
    """Empty the store, so that no part finds what another has left."""
    for file in found.workspace.glob("calls.db*"):
        file.unlink()


@contextlib.contextmanager
def running(found: Ground, upstream: str) -> Generator[Running]:
    """Run the gateway on its core."""
    with gateway(found.workspace, upstream, found.cores.measured) as server:
        yield server


def _learnt(space: Path) -> bool:
    workspace = Workspace(space)
    return workspace.policy.exists() and len(read_policy(workspace.policy).routes) == STUDENTS


def _learn(space: Path, progress: Progress) -> None:
    """Certify the tasks by the product's whole path, on a part of the bundled log."""
    space.mkdir(parents=True, exist_ok=True)
    log = space / "log.jsonl"
    log.write_bytes(b"".join(line + b"\n" for line in _part()))
    session = Session(Workspace(space), Config())
    report = audit_log(session, [str(log)], progress)
    run_tasks(session, report, progress, "linear")
    if not _learnt(space):
        raise Refusal("Not all three tasks of the bundled log were certified.")


def _bundled(name: str) -> list[bytes]:
    packed = importlib.resources.files("stepdown.cli.demo").joinpath(name).read_bytes()
    text: bytes = zstandard.ZstdDecompressor().stream_reader(packed).read()
    return [line for line in text.split(b"\n") if line]


def _task_of(line: bytes) -> str:
    return json.loads(line)["metadata"]["stepdown_task"]


def _part() -> Iterator[bytes]:
    seen: Counter[str] = Counter()
    for line in _bundled("log.jsonl.zst"):
        task = _task_of(line)
        seen[task] += 1
        if seen[task] <= _CALLS.get(task, _CALLS_OF_OTHERS):
            yield line


def _sure(space: Path, which: Cores) -> list[bytes]:
    """Return held-out tickets that the student answers itself."""
    lines = _bundled("held_out.jsonl.zst")
    tickets = [json.loads(line) for line in lines if _task_of(line) == TASK]
    with gateway(space, _NOWHERE, which.measured) as server:
        found = list(_answered(server, tickets))
    if not found:
        raise Refusal("The student was sure of none of the held-out messages.")
    return found


def _answered(server: Running, tickets: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    found = 0
    for ticket in tickets:
        body = json.dumps(ticket["request"]).encode()
        with Client(server.url, body) as client:
            if b"x-stepdown-decision: answered" in client.post()[1]:
                yield body
                found += 1
        if found == _SURE:
            return
