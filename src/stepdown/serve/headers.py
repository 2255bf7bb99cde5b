"""Headers: which go upstream, which come back, and what the gateway says of its decision.

Both lists are of what is allowed; anything else stays behind, hop-by-hop headers above all.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from stepdown.core.keys import is_virtual
from stepdown.core.routes import Decision
from stepdown.serve.providers import is_another_makers

__all__ = [
    "KEY_HEADERS",
    "REFUSED",
    "Headers",
    "back",
    "decision_headers",
    "forwarded",
    "header",
    "own_keys",
    "printable",
    "refusal_headers",
    "streaming",
]

Headers = list[tuple[bytes, bytes]]
"""ASGI's own form: names in lower case."""

REFUSED = "refused"
"""What stands for a decision where there is none, since the gateway itself says no; the error's
code is the reason then."""

_UPSTREAM = frozenset(
    (
        b"accept",
        b"accept-language",
        b"anthropic-beta",
        b"anthropic-version",
        b"content-type",
        b"idempotency-key",
        b"traceparent",
        b"tracestate",
        b"user-agent",
        b"x-client-request-id",
    )
)
_UPSTREAM_PREFIXES = (b"openai-", b"x-stainless-")
KEY_HEADERS = frozenset((b"authorization", b"x-api-key", b"api-key"))
"""Where callers put a key."""

_BACK = frozenset(
    (
        b"cache-control",
        b"content-disposition",
        b"content-type",
        b"request-id",
        b"retry-after",
        b"retry-after-ms",
        b"x-request-id",
        b"x-should-retry",
    )
)
_BACK_PREFIXES = (b"openai-", b"x-ratelimit-", b"anthropic-")

_ANTHROPICS = b"sk-ant-"
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_LONGEST = 200


def header(headers: Headers, name: bytes) -> str:
    """Return the first header of that (lower-case) name, or ""."""
    for key, value in headers:
        if key == name:
            return value.decode("latin-1")
    return ""


def own_keys(headers: Headers, address: str, *, anthropics_elsewhere: bool) -> Headers:
    """Return the headers without the keys that are not meant for whoever is at an address.

    One of Anthropic's stays away from another maker; so does any in `x-api-key`, where Anthropic's
    clients have theirs, if those have an address of their own.
    """
    return [
        (name, value)
        for name, value in headers
        if name not in KEY_HEADERS
        or not (
            (anthropics_elsewhere and name == b"x-api-key")
            or (_ANTHROPICS in value and is_another_makers(address))
        )
    ]


def forwarded(
    headers: Headers, api_key: str | None, key_header: str = "authorization"
) -> list[tuple[str, str]]:
    """Return what goes upstream: the allowed headers and one key, ours or the caller's own.

    Ours stands in `key_header`: as a bearer token in `authorization`, as it is in any other. ""
    sends no key at all. A virtual key is this gateway's alone and never goes on.
    """
    passed = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in headers
        if name in _UPSTREAM
        or name.startswith(_UPSTREAM_PREFIXES)
        or (api_key is None and name in KEY_HEADERS and not is_virtual(value))
    ]
    if api_key:
        bearer = key_header == "authorization"
        passed.append((key_header, f"Bearer {api_key}" if bearer else api_key))
    # Compressed answers could not be read for the outbox without decoding them again.
    passed.append(("accept-encoding", "identity"))
    return passed


def back(headers: Iterable[tuple[str, str]]) -> Headers:
    """Return what of an upstream's headers goes to the caller."""
    found = ((name.lower().encode("latin-1"), value) for name, value in headers)
    return [
        (name, printable(value).encode())
        for name, value in found
        if name in _BACK or name.startswith(_BACK_PREFIXES)
    ]


def streaming(headers: Iterable[tuple[str, str]]) -> Headers:
    """Return what of an upstream's headers goes to the caller of a stream, with what keeps proxies
    from holding it back or keeping it."""
    found = back(headers)
    if not header(found, b"cache-control"):
        found.append((b"cache-control", b"no-cache"))
    # Whatever the upstream said of that was meant for a proxy on its own side.
    found.append((b"x-accel-buffering", b"no"))
    return found


def decision_headers(
    request_id: str, decision: Decision | None = None, task: str = "", model: str = ""
) -> Headers:
    """Return the `x-stepdown-…` headers; what does not apply is left out.

    `task` is the task's name, `model` the model that really answers.
    """
    found: Headers = [(b"x-stepdown-request-id", request_id.encode())]
    if decision is None:
        return found
    found += (
        (b"x-stepdown-tier", decision.tier.encode()),
        (b"x-stepdown-decision", decision.kind.encode()),
        (b"x-stepdown-reason", decision.reason.encode()),
    )
    if task:
        found.append((b"x-stepdown-task", _value(task)))
    if model:
        found.append((b"x-stepdown-model", _value(model)))
    if decision.confidence is not None:
        found.append((b"x-stepdown-confidence", b"%.6f" % decision.confidence))
    if decision.student:
        found.append((b"x-stepdown-student", _value(decision.student)))
    return found


def refusal_headers(code: str) -> Headers:
    """Return what a request is told on which nothing was decided, but that it is refused."""
    return [(b"x-stepdown-decision", REFUSED.encode()), (b"x-stepdown-reason", code.encode())]


@lru_cache(maxsize=1024)
def _value(name: str) -> bytes:
    return printable(name).encode()


def printable(text: str) -> str:
    """Return `text` fit for a header's value: what is not printable ASCII becomes `?`."""
    return _UNPRINTABLE.sub("?", text[:_LONGEST])
