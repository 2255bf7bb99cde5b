"""Ten thousand requests with something wrong in them: none may be a 5xx, or take long."""

import json
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from stepdown.cli.bench.client import request_bytes
from stepdown.cli.bench.figures import Figure
from stepdown.cli.bench.gateway.ground import Ground, running
from stepdown.cli.bench.gateway.processes import Running
from stepdown.cli.bench.gateway.upstream import model_behind
from stepdown.core.ports import Progress

__all__ = ["FIELDS", "mutants", "mutated"]

_COUNT = 10_000
_SEED = 20261129
_LONGEST_S = 2.0
_PATIENCE_S = 30.0
_PATHS = ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/route", "/v1/embeddings")
FIELDS = (
    "model",
    "messages",
    "tools",
    "tool_choice",
    "response_format",
    "stream",
    "stream_options",
    "max_tokens",
    "stop",
    "n",
    "best_of",
    "temperature",
    "logprobs",
    "seed",
    "user",
    "metadata",
    "functions",
    "function_call",
    "input",
    "system",
)
"""What is put out of order, in bodies of all dialects."""
_VALUES: tuple[Callable[[random.Random], Any], ...] = (
    lambda _: None,
    lambda _: True,
    lambda draw: draw.choice((0, -1, 10**9, 2**63, 10**400, 0.5, 1e308)),
    lambda draw: draw.choice((float("nan"), float("inf"), float("-inf"))),
    lambda draw: draw.choice(("", "x", "\x00", "\ud800", "💥" * 50, "{{7*7}}", "stepdown/none")),
    lambda draw: "s" * draw.choice((1_000, 100_000)),
    lambda draw: [None] * draw.choice((0, 1, 1_000)),
    lambda _: {},
    lambda draw: {"type": draw.choice(("function", "json_schema", "text", 7)), "function": {}},
    lambda _: [{"role": "user"}],
    lambda draw: [{"role": draw.choice(("user", "tool", 7, "")), "content": [{"type": "text"}]}],
    lambda _: [{"role": "assistant", "content": None, "tool_calls": [{"id": 1}]}],
    lambda _: [{"type": "function", "function": {"name": "f", "parameters": {"$ref": "#"}}}] * 9,
    lambda _: {"type": "json_schema", "json_schema": {"schema": {"pattern": "(a+)+$"}}},
)


def mutated(found: Ground, progress: Progress, count: int = _COUNT) -> list[Figure]:
    """Send them over real sockets and count what comes back."""
    statuses: Counter[int] = Counter()
    slowest = 0.0
    with model_behind() as upstream, running(found, upstream) as server:
        for at, request in enumerate(mutants(found.sure[0], count)):
            if at % 100 == 0:
                progress("mutated requests", at, count)
            status, took = _sent(server, request)
            statuses[status] += 1
            slowest = max(slowest, took)
        restarts = 0 if _alive(server) else 1
    bad = sum(number for status, number in statuses.items() if status >= 500 or status == 0)
    seen = ", ".join(f"{status}: {number:,}" for status, number in sorted(statuses.items()))
    return [
        Figure(
            f"5xx, or no answer, to {count:,} mutated requests",
            str(bad),
            bad,
            0,
            True,
            must=True,
            note=f"seed {_SEED}; {seen}",
        ),
        Figure("restarts by them", str(restarts), restarts, 0, True, must=True),
        Figure("the slowest of them, s", f"{slowest:.2f} s", slowest, _LONGEST_S, True),
    ]


def mutants(body: bytes, count: int) -> Iterator[bytes]:
    """Yield whole requests, the same ones each time."""
    draw = random.Random(_SEED)
    for _ in range(count):
        data = _mutant(draw, json.loads(body))
        yield request_bytes(data, draw.choice(_PATHS))


def _mutant(draw: random.Random, value: dict[str, Any]) -> bytes:
    for _ in range(draw.choice((1, 1, 2, 3))):
        value[draw.choice(FIELDS)] = draw.choice(_VALUES)(draw)
    data = json.dumps(value).encode()
    kind = draw.randrange(8)
    if kind == 0:
        data = data[: draw.randrange(len(data))]
    elif kind == 1:
        changed = bytearray(data)
        for _ in range(draw.choice((1, 5))):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        data = bytes(changed)
    elif kind == 2:
        depth = draw.choice((65, 600, 2_000, 20_000))
        data = data[:-1] + b', "deep": ' + b"[" * depth + b"]" * depth + b"}"
    elif kind == 3:
        data = b'{"model": "a", "model": 1, ' + data[1:]
    return data


def _sent(server: Running, request: bytes) -> tuple[int, float]:
    """Return the status (0: none came) and the seconds it took, on a connection of its own."""
    parts = urlsplit(server.url)
    began = time.monotonic()
    request = request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
    try:
        with socket.create_connection((parts.hostname, parts.port), _PATIENCE_S) as connection:
            connection.sendall(request)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    except OSError:
        return 0, time.monotonic() - began
    words = answer[:15].split()
    return int(words[1]) if len(words) > 1 else 0, time.monotonic() - began


def _alive(server: Running) -> bool:
    status, _ = _sent(server, request_bytes(b"{}", "/v1/route"))
    return status != 0
