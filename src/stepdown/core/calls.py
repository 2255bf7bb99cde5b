"""One logged exchange, in no provider's dialect. `wire` turns provider JSON into these values."""

from typing import Any

import msgspec

__all__ = [
    "DAY_S",
    "NO_TOOLS",
    "PLAIN_TEXT",
    "TEACHERS",
    "UNANSWERED",
    "Answer",
    "Call",
    "Message",
    "OutputFormat",
    "Request",
    "Tool",
    "ToolCall",
    "Toolset",
    "Usage",
]


DAY_S = 86_400
"""A day, as times are in seconds."""

TEACHERS = ("", "frontier")
"""Tiers whose answers teach: those of logs that are not ours, and the frontier model's."""

UNANSWERED = "unanswered"
"""The tier of a request that stands in a log without an answer."""


class ToolCall(msgspec.Struct, frozen=True):
    """A tool that a model wants called; `arguments` is the JSON text exactly as it was sent."""

    name: str
    arguments: str
    id: str = ""


class Message(msgspec.Struct, frozen=True):
    """One turn of a conversation.

    The text of a document that could be read is part of `text`. `other_parts` names the kinds of
    the parts that are not text, with ": " and the reason where it is known ("file: …").
    """

    role: str
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    other_parts: tuple[str, ...] = ()


class Tool(msgspec.Struct, frozen=True):
    """A function that the model may call; `parameters` is its JSON Schema.

    A tool of another `kind` (web_search, custom, …) has its whole object, as sent, in `parameters`.
    """

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    strict: bool = False
    kind: str = "function"


class Toolset(msgspec.Struct, frozen=True):
    """The tools of a request, sorted by name; `hash` is "" when there are none."""

    tools: tuple[Tool, ...] = ()
    hash: str = ""

    def get(self, name: str) -> Tool | None:
        """Return the tool of that name, or None."""
        return next((tool for tool in self.tools if tool.name == name), None)


class OutputFormat(msgspec.Struct, frozen=True):
    """What the caller asked the answer to look like: `kind` is text, json_object or json_schema.

    `hash` covers the kind and the canonical schema; it is "" for plain text.
    """

    kind: str = "text"
    schema: dict[str, Any] | None = None
    strict: bool = False
    hash: str = ""


NO_TOOLS = Toolset()
PLAIN_TEXT = OutputFormat()


class Request(msgspec.Struct, frozen=True):
    """What was asked. `params` holds every other body field (temperature, n, stop, …) as sent."""

    model: str
    messages: tuple[Message, ...]
    tools: Toolset = NO_TOOLS
    output_format: OutputFormat = PLAIN_TEXT
    tool_choice: Any = None
    stream: bool = False
    params: dict[str, Any] = {}
    metadata: dict[str, Any] = {}


class Answer(msgspec.Struct, frozen=True):
    """What came back: text, or tool calls, or both.

    `first_tokens` are the likeliest first tokens of the text with their probabilities, where the
    answer came with log-probabilities.
    """

    text: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None
    finish_reason: str | None = None
    first_tokens: tuple[tuple[str, float], ...] = ()


class Usage(msgspec.Struct, frozen=True):
    """Tokens billed. Of the `input_tokens`, `cached_tokens` came from the provider's cache,
    `cache_writes` were put there for as long as is usual, and `cache_writes_1h` for an hour."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_writes: int = 0
    cache_writes_1h: int = 0


class Call(msgspec.Struct, frozen=True):
    """One exchange. None means *unknown*: a cost, a time or a token count is never invented.

    `time` is in seconds since the epoch (UTC), `latency_ms` in milliseconds, `cost_usd` in US
    dollars as the log itself states it. `task` and `group` are the caller's own hints. `tier` says
    who answered when the call was captured by our own gateway ("" elsewhere). `by` says whose call
    it was, as far as the log tells: by "user", "team", "key", "service" or "code" (file:line).
    `batched`: it was asked through the provider's batch API.
    """

    id: str
    request: Request
    answer: Answer
    model: str
    time: float | None = None
    latency_ms: float | None = None
    usage: Usage | None = None
    cost_usd: float | None = None
    task: str | None = None
    group: str | None = None
    tier: str = ""
    by: dict[str, str] = {}
    batched: bool = False
