"""Asking an upstream's stream for its tokens where the caller did not: it gets none of the answer.

A stream of chat completions tells its usage only when asked, in one more chunk without choices.
"""

from typing import Any

import msgspec

from stepdown.core.calls import Request
from stepdown.serve.fields import with_field
from stepdown.wire.openai import ChatBody

__all__ = ["asking_usage", "tells_usage", "wants_usage"]

_ASKED = b'{"stream_options":{"include_usage":true},'
_OPTIONS = "stream_options"

_body = msgspec.json.Decoder(ChatBody)
_options = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)


class _Chunk(msgspec.Struct):
    choices: list[Any] | None = None
    usage: dict[str, Any] | None = None


_chunk = msgspec.json.Decoder(_Chunk)


def wants_usage(request: Request) -> bool:
    """Say whether the caller itself asked for the tokens."""
    options = request.params.get(_OPTIONS)
    return isinstance(options, dict) and options.get("include_usage") is True


def asking_usage(body: bytes) -> bytes | None:
    """Return the body of a stream's request with the question for its tokens in it.

    No other byte is changed. None: it can't be asked.
    """
    if f'"{_OPTIONS}"'.encode() not in body:
        return _ASKED + body[body.index(b"{") + 1 :]
    try:
        fields = _body.decode(body)
        found: ChatBody = _options.decode(fields.get(_OPTIONS, msgspec.Raw(b"null"))) or {}
    except msgspec.MsgspecError:
        return None
    options: ChatBody = {**found, "include_usage": msgspec.Raw(b"true")}
    return with_field(body, _OPTIONS, msgspec.json.encode(options))


def tells_usage(data: bytes) -> bool:
    """Say whether a chunk is the one that tells the tokens and nothing else."""
    if b'"usage"' not in data:
        return False
    try:
        found = _chunk.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return found.choices == [] and found.usage is not None
