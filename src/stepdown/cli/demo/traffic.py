"""The demo's traffic: a gateway process, and held-out requests sent as a team's code would."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from stepdown.core.ports import Progress
from stepdown.core.records import read_answer, same_record
from stepdown.errors import Refusal
from stepdown.wire.openai import parse_answer

__all__ = ["Reply", "Row", "address_of", "gateway", "send_all", "summed"]


class Reply(msgspec.Struct, frozen=True):
    """What came back for one request: who answered and why, whether it agreed, and how long."""

    task: str
    tier: str
    decision: str
    reason: str
    agreed: bool
    milliseconds: float


class Row(msgspec.Struct, frozen=True):
    """One task's replies: `answered` by the student, `agreed` of those, the others went upstream.

    `p50_ms` and `p99_ms` are the client's own times of the answered ones; None without any.
    """

    task: str
    requests: int
    answered: int
    agreed: int
    p50_ms: float | None
    p99_ms: float | None
    upstream_p50_ms: float | None


@contextlib.contextmanager
def gateway(workspace: Path, upstream: str) -> Generator[str]:
    """Run `stepdown serve` as a process of its own and give its API root.

    Raises:
        Refusal: it did not become ready.
    """
    command = [sys.executable, "-m", "stepdown", "serve", "--port", "0", "--upstream", upstream]
    environment = os.environ | {"STEPDOWN_WORKSPACE": str(workspace)}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment, cwd=workspace
    ) as process:
        try:
            yield address_of(process)
        finally:
            process.terminate()
            process.communicate()


def address_of(process: subprocess.Popen[str]) -> str:
    """Return the API root that a gateway says it is ready on; its stderr has to be a pipe.

    Raises:
        Refusal: it ended without.
    """
    assert process.stderr is not None  # asked for as a pipe
    said: list[str] = []
    for line in process.stderr:
        said.append(line.strip())
        if line.startswith("Ready on "):
            return line.split()[2].rstrip(";")
    raise Refusal(f"The gateway did not start: {' '.join(said)[-300:]}")


def send_all(url: str, calls: Sequence[dict[str, Any]], progress: Progress) -> list[Reply]:
    """Send every call's request with the official `openai` client, one after another.

    Raises:
        Refusal: the client is not installed.
    """
    try:
        import openai
    except ImportError as error:
        raise Refusal("The demo's client is missing; pip install 'stepdown[demo]'.") from error
    replies: list[Reply] = []
    with openai.OpenAI(base_url=url, api_key="no-key-needed", max_retries=0) as client:
        for at, call in enumerate(calls):
            progress("sending requests", at, len(calls))
            replies.append(_send(client, call))
        progress("sending requests", len(calls), len(calls))
    return replies


def _send(client: Any, call: dict[str, Any]) -> Reply:
    began = time.perf_counter()
    raw = client.chat.completions.with_raw_response.create(**call["request"])
    took = (time.perf_counter() - began) * 1000
    return Reply(
        task=call["metadata"]["stepdown_task"],
        tier=raw.headers.get("x-stepdown-tier", ""),
        decision=raw.headers.get("x-stepdown-decision", ""),
        reason=raw.headers.get("x-stepdown-reason", ""),
        agreed=_same(raw.content, json.dumps(call["response"]).encode()),
        milliseconds=took,
    )


def _same(one: bytes, other: bytes) -> bool:
    """Compare two chat completions as the proof does: field by field."""
    answer, expected = parse_answer(one)[0], parse_answer(other)[0]
    shape = "tool" if expected.tool_calls else "json" if "{" in (expected.text or "") else "text"
    given, wanted = read_answer(answer, shape), read_answer(expected, shape)
    return given is not None and wanted is not None and same_record(given, wanted)


def summed(replies: Sequence[Reply]) -> list[Row]:
    """Sum the replies up by task, and all together in a last row."""
    names = sorted({reply.task for reply in replies})
    rows = [_row(name, [reply for reply in replies if reply.task == name]) for name in names]
    return [*rows, _row("all", replies)]


def _row(name: str, replies: Sequence[Reply]) -> Row:
    mine = [reply for reply in replies if reply.decision == "answered"]
    times = [reply.milliseconds for reply in mine]
    above = [reply.milliseconds for reply in replies if reply.decision != "answered"]
    return Row(
        task=name,
        requests=len(replies),
        answered=len(mine),
        agreed=sum(reply.agreed for reply in mine),
        p50_ms=float(np.quantile(times, 0.5)) if times else None,
        p99_ms=float(np.quantile(times, 0.99)) if times else None,
        upstream_p50_ms=float(np.quantile(above, 0.5)) if above else None,
    )
