"""The most that a request can cost, from its body alone: what is reserved before it is sent.

A token is at least one byte of text, and JSON writes no text shorter than it is. What is not text
(pictures, documents) has a bound of its own, and what points to something elsewhere has none.
"""

import math
import re
from typing import Any

import msgspec

from stepdown.core.calls import Usage

__all__ = ["Most", "most_of"]

_PICTURE_TOKENS = 50_000
_DOCUMENT_TOKENS = 1_000_000
_BYTES_A_TOKEN = 3  # fewer than any usual text has: for the rate, where a guess too high would hurt
_MOST_TOKENS = 10**9

_DEAR = ("priority", "fast")  # speeds that have a price of their own
_PARTS = re.compile(
    rb'"(?:(?P<picture>image_url|input_image|image)|(?P<document>file|input_file|document|'
    rb'input_audio)|(?P<open>file_id))"(?!\s*:\s*null)'
    rb'|"type"\s*:\s*"(?P<tool>web_search|web_fetch|file_search|code_interpreter|code_execution|'
    rb'image_generation|computer|mcp|tool_search)[^"]*"'
)
"""All of these stand in objects that have a type."""


class _Body(msgspec.Struct):
    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    n: Any = None
    best_of: Any = None
    previous_response_id: Any = None
    conversation: Any = None
    web_search_options: Any = None
    service_tier: Any = None
    speed: Any = None

    def unbounded(self) -> str:
        """Return what of it can cost anything, or ""."""
        for name in ("previous_response_id", "conversation", "web_search_options"):
            if getattr(self, name) is not None:
                return name
        return next((one for one in (self.service_tier, self.speed) if one in _DEAR), "")


class Most(msgspec.Struct, frozen=True):
    """The most tokens that a request can use; `guess` is of what it sends, and nearer the truth.

    `caches` says that it wants something kept in the provider's cache. `unbounded` names what in it
    has no bound; "" where all has.
    """

    input: int
    output: int
    guess: int
    unbounded: str = ""
    caches: bool = False

    @property
    def dearest(self) -> Usage:
        """All that is sent put into the cache: for an hour where the request wants something kept,
        else as some providers do unasked."""
        kept = (0, self.input) if self.caches else (self.input, 0)
        return Usage(self.input, self.output, 0, *kept)


_body = msgspec.json.Decoder(_Body)


def most_of(body: bytes, unsaid: int) -> Most:
    """Return the bounds of a request of any dialect; `unsaid` is of an answer whose length it does
    not limit itself."""
    size = len(body)
    if b"\\u00" in body:
        # Written so, a field's name would be one to the upstream and not to the expression below.
        body = _plain(body)
    try:
        asked = _body.decode(body)
    except (ValueError, RecursionError):
        asked = _Body()
    said = (asked.max_tokens, asked.max_completion_tokens, asked.max_output_tokens)
    # Some servers take 1e6 for a number as well.
    limits = [math.ceil(limit) for limit in said if type(limit) in (int, float) and limit > 0]
    several = (n for n in (asked.n, asked.best_of) if type(n) in (int, float))
    answers = math.ceil(max(1, *several, 1))
    output = min((max(limits) if limits else unsaid) * answers, _MOST_TOKENS)
    more, unbounded = _beside_text(body) if b'"type"' in body else (0, "")
    return Most(
        size + more,
        output,
        size // _BYTES_A_TOKEN + more + 1,
        unbounded or asked.unbounded(),
        b'"cache_control"' in body,
    )


def _plain(body: bytes) -> bytes:
    try:
        return msgspec.json.encode(msgspec.json.decode(body))
    except (ValueError, RecursionError):
        return body


def _beside_text(body: bytes) -> tuple[int, str]:
    tokens = 0
    for part in _PARTS.finditer(body):
        if part.lastgroup == "picture":
            tokens += _PICTURE_TOKENS
        elif part.lastgroup == "document":
            tokens += _DOCUMENT_TOKENS
        elif part.lastgroup is not None:
            return 0, part[part.lastgroup].decode()
    return tokens, ""
