"""A captured line → what its bill is made of. The text of prompts and answers is passed over."""

from datetime import datetime
from typing import Any

import msgspec

from stepdown.core.savings import Captured, Spent
from stepdown.wire.told import usage_told

__all__ = ["captured"]

_NOT_SENT = 503
_CLIENT_ERRORS = range(400, 499)
_NULL = msgspec.Raw(b"null")


class _Request(msgspec.Struct, gc=False):
    model: Any = ""


class _Response(msgspec.Struct, gc=False):
    model: Any = ""
    usage: msgspec.Raw = _NULL


class _Error(msgspec.Struct, gc=False):
    status: Any = None
    body: msgspec.Raw = _NULL
    sent: Any = False


class _Spent(msgspec.Struct, gc=False):
    tier: str = ""
    model: str = ""
    usage: msgspec.Raw = _NULL


class _About(msgspec.Struct, gc=False):
    tier: str = ""
    task: str = ""
    model: str = ""
    audit_of: str = ""
    estimated: bool = False
    retried: int = 0
    beside: list[_Spent] = []
    decision: str = ""
    reason: str = ""
    partial: _Response | None = None


class _Line(msgspec.Struct, gc=False):
    time: Any = None
    request: _Request | None = None
    response: _Response | None = None
    error: _Error | None = None
    stepdown: _About | None = None


_line = msgspec.json.Decoder(_Line)


def captured(data: bytes) -> Captured | None:
    """Read one line that the gateway captured; None when it is no such line."""
    try:
        line = _line.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    about = line.stepdown
    if about is None:
        return None
    answer = line.response or about.partial
    # Where redaction failed nothing is left of either; the call may have gone well.
    failed = line.response is None and line.request is not None
    return Captured(
        _name(line.request.model) if line.request else "",
        (_name(answer.model) if answer and about.tier != "small" else "") or about.model,
        about.task,
        about.tier,
        _seconds(line.time),
        usage_told(answer.usage) if answer else None,
        about.estimated or (about.tier == "small" and not failed),
        about.audit_of,
        failed,
        failed and _unbilled(line.error),
        max(about.retried, 0),
        tuple(Spent(one.tier, one.model, usage_told(one.usage)) for one in about.beside),
        about.decision,
        about.reason,
    )


def _unbilled(error: _Error | None) -> bool:
    """Say whether no provider bills such a failure: the request was refused, or never sent.

    What timed out, broke off or was left may have been billed.
    """
    if error is None or error.sent or not isinstance(error.status, int):
        return False
    refused = error.body != _NULL and error.status >= _CLIENT_ERRORS.start
    return refused or error.status == _NOT_SENT or error.status in _CLIENT_ERRORS


def _name(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _seconds(time: Any) -> float | None:
    if not isinstance(time, str):
        return None
    try:
        return datetime.fromisoformat(time).timestamp()
    except (ValueError, OverflowError):
        return None
