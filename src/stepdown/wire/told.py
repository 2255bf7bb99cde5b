"""What an answer tells beside its text: its id, tokens, and why it ended."""

from typing import Any, cast

import msgspec

from stepdown.core.calls import Usage

__all__ = ["MOST_TOKENS", "Told", "known_usage", "told", "usage_beside", "usage_told"]

MOST_TOKENS = 10**9
"""More than any call has."""

_MOST_CHOICES = 16
_NULL = msgspec.Raw(b"null")


class Told(msgspec.Struct, frozen=True):
    """Of a chat.completion; what it does not tell is "" or None."""

    id: str = ""
    model: str = ""
    usage: Usage | None = None
    finish_reasons: tuple[str, ...] = ()


class _Choice(msgspec.Struct, gc=False):
    finish_reason: Any = None


class _Completion(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    usage: msgspec.Raw = _NULL
    choices: list[_Choice] | None = None


class _Used(msgspec.Struct, gc=False):
    usage: msgspec.Raw = _NULL


class _Cached(msgspec.Struct, gc=False):
    """OpenAI's names, and those that gateways to Anthropic have for what is written."""

    cached_tokens: int | None = None
    cache_write_tokens: Any = None
    cache_creation_tokens: Any = None
    cache_creation_token_details: Any = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Cached | None = None


_completion = msgspec.json.Decoder(_Completion)
_usage = msgspec.json.Decoder(_Usage)
_used = msgspec.json.Decoder(_Used)


def told(completion: bytes) -> Told:
    """Read the JSON of a chat.completion; nonsense tells nothing."""
    try:
        found = _completion.decode(completion)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Told()
    reasons = (choice.finish_reason for choice in (found.choices or ())[:_MOST_CHOICES])
    return Told(
        found.id if isinstance(found.id, str) else "",
        found.model if isinstance(found.model, str) else "",
        usage_told(found.usage),
        tuple(reason for reason in reasons if isinstance(reason, str)),
    )


def usage_beside(body: bytes) -> Usage | None:
    """Return what any API's whole answer tells in its `usage`; one without tokens of its own, as
    embeddings are, tells those of the question alone."""
    try:
        raw = _used.decode(body).usage
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return usage_told(raw, made=0)


def usage_told(raw: bytes | msgspec.Raw, made: int | None = None) -> Usage | None:
    """Return the tokens that a `usage` tells; nonsense is as good as nothing.

    A request has tokens: 0 is how a dialect that must write something wrote unknown. `made` stands
    for the tokens of the answer where it does not tell them.
    """
    try:
        found = _usage.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    given = found.prompt_tokens
    made = made if found.completion_tokens is None else found.completion_tokens
    if given == 0:
        return None
    told = found.prompt_tokens_details
    if told is None:
        return known_usage(given, made)
    cached = told.cached_tokens or 0
    written = _count(told.cache_write_tokens) or _count(told.cache_creation_tokens)
    hour = _lasting(told.cache_creation_token_details)
    whole = known_usage(given, made, cached, max(written, hour), hour)
    # Gateways' own counts: where they can't be, OpenAI's beside them are as good as without.
    return whole or known_usage(given, made, cached)


def _count(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0


def _lasting(details: Any) -> int:
    """Return how many of the tokens written to the cache are for an hour."""
    if not isinstance(details, dict):
        return 0
    return _count(cast("dict[str, Any]", details).get("ephemeral_1h_input_tokens"))


def known_usage(
    given: Any, made: Any, cached: Any = 0, written: Any = 0, hour: Any = 0
) -> Usage | None:
    """Return token counts that an API can have told; None where one of them can be none.

    `hour` of the tokens `written` to the cache are for an hour.
    """
    counts = (given, made, cached, written, hour)
    if not type(given) is type(made) is type(cached) is type(written) is type(hour) is int:
        return None
    if min(counts) < 0 or max(counts) > MOST_TOKENS:
        return None
    if hour > written or cached + written > given:
        return None
    return Usage(given, made, cached, written - hour, hour)
