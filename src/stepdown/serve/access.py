"""The access log: one JSON line a request, without any text of it."""

import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from stepdown.errors import UsageError
from stepdown.serve.afterwards import Ended
from stepdown.serve.headers import REFUSED

__all__ = ["STDOUT", "AccessLog"]

STDOUT = "-"
"""The path that means the process's standard output."""

_encoder = msgspec.json.Encoder()


class AccessLog:
    """Appends lines to a file, or to standard output; `clean` takes secrets out of each.

    Raises:
        UsageError: the file can't be opened.
    """

    def __init__(self, path: str, clean: Callable[[bytes], bytes]) -> None:
        self._path = path
        self._clean = clean
        self._file = _opened(path)

    def write(self, batch: Sequence[Ended]) -> None:
        """Write a line for each request; called from one thread only."""
        data = b"".join([self._clean(_encoder.encode(_line(one))) + b"\n" for one in batch])
        while data:
            data = data[os.write(self._file, data) :]

    def close(self) -> None:
        """Let go of the file."""
        if self._path != STDOUT:
            os.close(self._file)


def _opened(path: str) -> int:
    if path == STDOUT:
        return sys.stdout.fileno()
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise UsageError(
            f"The access log {path} can't be opened ({problem.strerror}); "
            "set another path as [serve] access_log."
        ) from problem


def _line(one: Ended) -> dict[str, Any]:
    decision = one.decision
    refused = one.problem or None
    time = datetime.fromtimestamp(one.time, UTC).isoformat(timespec="milliseconds")
    return {
        "time": time.replace("+00:00", "Z"),
        "id": one.id,
        "method": one.method,
        "path": one.path,
        "status": one.status,
        "problem": refused,
        "ms": round(one.seconds * 1000, 2),
        "decision": decision.kind if decision else refused and REFUSED,
        "reason": decision.reason if decision else refused,
        "tier": decision.tier if decision else None,
        "task": one.task or None,
        "model": one.model or None,
        "key": one.key or None,
        "bytes_in": one.bytes_in,
        "bytes_out": one.bytes_out,
        "tokens_in": one.usage.input_tokens if one.usage else None,
        "tokens_out": one.usage.output_tokens if one.usage else None,
        "user_agent": one.user_agent or None,
    }
