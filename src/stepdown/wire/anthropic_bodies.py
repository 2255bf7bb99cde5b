"""A chat-completions request as Anthropic's messages, and their message as a chat.completion.

What shapes the answer and has a counterpart is kept; log-probabilities, seeds and penalties have
none and are left out. A refusal comes back as one, not as an answer.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec

from stepdown.core.calls import Answer, Message, OutputFormat, Request, Tool
from stepdown.errors import InputError
from stepdown.wire.anthropic_answers import parse_message
from stepdown.wire.openai_answers import Stamp, completion_body

__all__ = ["completion_of_message", "messages_body"]

Json = dict[str, Any]

MOST_TOKENS = 4096
"""Tokens of an answer where the request sets no bound: messages must have one, and the smallest
models take no more."""

_SYSTEM = frozenset(("system", "developer"))
_RESULTS = frozenset(("tool", "function"))
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_INNER = frozenset(("items", "anyOf", "allOf", "oneOf", "additionalProperties", "not"))
_NAMED = frozenset(("properties", "$defs", "definitions"))
_UNHEEDED = frozenset(
    (
        "exclusiveMaximum",
        "exclusiveMinimum",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "multipleOf",
        "pattern",
        "uniqueItems",
    )
)
"""What their structured outputs refuse in a schema; the model is told it in the description, as
the official client does."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def messages_body(request: Request) -> bytes:
    """Return the body of a messages request that asks what `request` asks, not as a stream.

    Raises:
        InputError: a part of a message is not text, or a turn is nobody's.
    """
    params = request.params
    body: Json = {
        "model": request.model,
        "max_tokens": params.get("max_completion_tokens")
        or params.get("max_tokens")
        or MOST_TOKENS,
        "messages": list(_turns(request.messages)),
    }
    system = "\n\n".join(one.text for one in request.messages if one.role in _SYSTEM and one.text)
    if system:
        body["system"] = system
    body |= _tools(request) | _format(request.output_format) | _sampling(params)
    stop = params.get("stop")
    if stop:
        body["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    return _encode(body)


def completion_of_message(body: bytes, created: int) -> bytes:
    """Return the chat.completion that says what a message says; `created` is when it came.

    What is no message comes back as it is: whoever reads it will say so.
    """
    try:
        answer, usage, model = parse_message(body)
    except InputError:
        return body
    sent = _decode(body)
    if sent.get("stop_reason") == "refusal":
        why = answer.text or _explained(sent.get("stop_details")) or "The model refused."
        answer = Answer(refusal=why, finish_reason="content_filter")
    return completion_body(answer, Stamp(str(sent.get("id") or ""), created, model), usage)


def _explained(details: Any) -> str:
    explanation = cast("Json", details).get("explanation") if isinstance(details, dict) else None
    return explanation if isinstance(explanation, str) else ""


def _turns(messages: Iterable[Message]) -> Iterator[Json]:
    """Yield turns of blocks, those that follow each other in one role as one."""
    role, blocks = "", list[Json]()
    waiting: list[str] = []
    for message in messages:
        if message.role in _SYSTEM:
            continue
        speaker = "user" if message.role in _RESULTS else message.role
        if speaker not in ("user", "assistant") or message.other_parts:
            found = message.other_parts[0] if message.other_parts else f"role {message.role!r}"
            raise InputError(
                f"Anthropic's messages have no counterpart here for this message ({found}); ask a "
                "model behind an OpenAI-compatible API."
            )
        if speaker != role and blocks:
            yield {"role": role, "content": blocks}
            blocks = []
        role = speaker
        blocks += _blocks(message, waiting)
    if blocks:
        yield {"role": role, "content": blocks}


def _blocks(message: Message, waiting: list[str]) -> Iterator[Json]:
    """Yield a message's blocks; `waiting` has the ids of calls that still have no result."""
    if message.role in _RESULTS:
        id = message.tool_call_id or (waiting[0] if waiting else "")
        if id in waiting:
            waiting.remove(id)
        yield {"type": "tool_result", "tool_use_id": id, "content": message.text}
        return
    if message.text:
        yield {"type": "text", "text": message.text}
    for index, call in enumerate(message.tool_calls):
        id = call.id or f"call_{len(waiting)}_{index}"
        waiting.append(id)
        yield {"type": "tool_use", "id": id, "name": call.name, "input": _object(call.arguments)}


def _object(arguments: str) -> Json:
    try:
        return _decode(arguments.encode() or b"{}")
    except (ValueError, RecursionError):  # what a model once wrote is not always JSON
        return {"arguments": arguments}


def _tools(request: Request) -> Json:
    if not request.tools.tools:
        return {}
    found: Json = {"tools": [_tool(tool) for tool in request.tools.tools]}
    choice = _choice(request.tool_choice)
    if request.params.get("parallel_tool_calls") is False and choice.get("type") != "none":
        choice = {"type": "auto"} | choice | {"disable_parallel_tool_use": True}
    return found | ({"tool_choice": choice} if choice else {})


def _tool(tool: Tool) -> Json:
    if tool.kind != "function":
        return tool.parameters
    found: Json = {"name": tool.name, "input_schema": tool.parameters or {"type": "object"}}
    if tool.description:
        found["description"] = tool.description
    return found | ({"strict": True} if tool.strict else {})


def _choice(choice: Any) -> Json:
    if isinstance(choice, str):
        return {"type": _CHOICES[choice]} if choice in _CHOICES else {}
    function = cast("Json", choice).get("function") if isinstance(choice, dict) else None
    name = cast("Json", function).get("name") if isinstance(function, dict) else None
    return {"type": "tool", "name": name} if name else {}


def _format(wanted: OutputFormat) -> Json:
    if wanted.kind != "json_schema":
        return {}  # json_object has no counterpart: the prompt has to ask for JSON, as it does
    return {"output_config": {"format": {"type": "json_schema", "schema": _closed(wanted.schema)}}}


def _closed(schema: Any) -> Any:
    """Return a schema as their structured outputs take it: every object closed."""
    if isinstance(schema, list):
        return [_closed(one) for one in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    made: Json = {}
    told: list[str] = []
    for name, value in cast("Json", schema).items():
        if name in _NAMED and isinstance(value, dict):
            made[name] = {key: _closed(one) for key, one in cast("Json", value).items()}
        elif name in _INNER:
            made[name] = _closed(value)
        elif name in _UNHEEDED:
            told.append(f"{name}: {value}")
        else:
            made[name] = value
    if told:
        said = str(made.get("description") or "")
        made["description"] = f"{said} {{{', '.join(told)}}}".strip()
    return _shut(made)


def _shut(schema: Json) -> Json:
    """Close the schema itself, and put anyOf, which they take, for oneOf, which they refuse."""
    types: Any = schema.get("type")
    if types == "object" or (isinstance(types, list) and "object" in types):
        schema["additionalProperties"] = False
    one_of = schema.pop("oneOf", None)
    if one_of and "anyOf" in schema:
        every = cast("list[Any]", schema.get("allOf") or [])
        schema["allOf"] = [*every, {"anyOf": one_of}]
    elif one_of:
        schema["anyOf"] = one_of
    return schema


def _sampling(params: Mapping[str, Any]) -> Json:
    """Translate temperature, else top_p: newer models refuse both at once, and more than 1."""
    temperature, top_p = params.get("temperature"), params.get("top_p")
    found: Json = {} if params.get("top_k") is None else {"top_k": params["top_k"]}
    if isinstance(temperature, int | float):
        found["temperature"] = min(temperature, 1.0)
    elif top_p is not None:
        found["top_p"] = top_p
    return found
