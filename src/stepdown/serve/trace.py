"""W3C trace context: the caller's trace is gone on with, and passed on upstream."""

import random
import re

import msgspec

from stepdown.serve.headers import Headers, header

__all__ = ["Trace", "begun", "carried"]

_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_SAMPLED = 1
_INVALID = "ff"


class Trace(msgspec.Struct, frozen=True, gc=False):
    """A request's place in a trace; `parent` 0: it began here. `sampled` says whether to tell."""

    trace: int
    span: int
    parent: int = 0
    sampled: bool = True


def begun(headers: Headers, share: float = 1.0) -> Trace:
    """Begin a span for a request with these headers, in its caller's trace if it has one.

    `share` of the traces that begin here are told; of others their callers have decided.
    """
    sent = header(headers, b"traceparent")
    found = _PARENT.fullmatch(sent) if sent else None
    span = random.getrandbits(64) or 1
    if found is not None and not sent.startswith(_INVALID):
        trace, parent = int(found[1], 16), int(found[2], 16)
        if trace and parent:
            return Trace(trace, span, parent, bool(int(found[3], 16) & _SAMPLED))
    return Trace(random.getrandbits(128) or 1, span, 0, share >= 1.0 or random.random() < share)


def carried(headers: Headers, trace: Trace) -> Headers:
    """Return the headers with the span as the parent of whatever comes next."""
    ours = f"00-{trace.trace:032x}-{trace.span:016x}-{int(trace.sampled):02x}"
    kept = [one for one in headers if one[0] != b"traceparent"]
    return [*kept, (b"traceparent", ours.encode())]
