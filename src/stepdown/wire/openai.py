"""OpenAI chat-completions JSON → core values: requests, tools, output formats and answers.

Reading is lenient where dialects differ (parts, legacy functions, unknown fields) and strict where
a value would mislead: whatever can't be read raises InputError, with nothing half-read.
"""

import math
from typing import Any, cast

import msgspec

from stepdown.core.calls import (
    NO_TOOLS,
    PLAIN_TEXT,
    Answer,
    Message,
    Request,
    ToolCall,
    Usage,
)
from stepdown.errors import InputError
from stepdown.wire.documents import KINDS, document_text
from stepdown.wire.openai_tools import (
    UNREADABLE,
    check_nesting,
    dump_toolset,
    not_a_request,
    parse_output_format,
    parse_toolset,
)
from stepdown.wire.told import usage_told

__all__ = [
    "ChatBody",
    "ChatCompletion",
    "answer_from",
    "answer_of",
    "dump_toolset",
    "parse_answer",
    "parse_messages",
    "parse_output_format",
    "parse_request",
    "parse_toolset",
    "request_from",
]

ChatBody = dict[str, msgspec.Raw]
"""A request body with each field still raw: what is asked for often is parsed once (tools), what
is forwarded stays bytes, and a field that nobody foresaw is kept."""


class _Part(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None
    file: Any = None
    source: Any = None
    file_data: Any = None
    file_id: Any = None
    file_url: Any = None
    filename: Any = None


class _Function(msgspec.Struct, gc=False):
    name: str = ""
    arguments: str | dict[str, Any] | None = ""


class _CustomCall(msgspec.Struct, gc=False):
    name: str = ""
    input: str = ""


class _ToolCall(msgspec.Struct, gc=False):
    id: str | None = None
    function: _Function | None = None
    custom: _CustomCall | None = None


class _Message(msgspec.Struct, gc=False):
    content: str | list[_Part | str] | None = None
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: _Function | None = None
    refusal: str | None = None


class _Sent(_Message, gc=False, kw_only=True):
    role: str


class _Alternative(msgspec.Struct, gc=False):
    token: str
    logprob: float


class _Token(msgspec.Struct, gc=False):
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(msgspec.Struct, gc=False):
    content: list[_Token] | None = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class ChatCompletion(msgspec.Struct, gc=False):
    """A chat.completion as sent; `answer_from` turns it into core values."""

    choices: list[_Choice] | None = None
    model: str | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")
    created: Any = None
    error: Any = None


_body = msgspec.json.Decoder(ChatBody)
_messages = msgspec.json.Decoder(list[_Sent])
_completion = msgspec.json.Decoder(ChatCompletion)
_answer_message = msgspec.json.Decoder(_Message)
_anything = msgspec.json.Decoder()

_OWN_FIELDS = frozenset(
    [
        "model",
        "messages",
        "tools",
        "functions",
        "tool_choice",
        "function_call",
        "response_format",
        "stream",
        "metadata",
    ]
)
_TEXT_PARTS = frozenset(("text", "input_text", "output_text"))


def parse_request(body: bytes, documents: bool = True) -> Request:
    """Read the JSON body of a chat-completions request.

    `documents` says to read file parts as text (`wire.documents`), which may take seconds.

    Raises:
        InputError: it is not one.
    """
    if not body.strip():
        raise not_a_request("it is empty")
    try:
        fields = _body.decode(body)
    except UNREADABLE as problem:
        raise not_a_request(problem) from problem
    return request_from(fields, documents)


def request_from(body: ChatBody, documents: bool = True) -> Request:
    """Read a request whose top level has been decoded already; `documents` as in `parse_request`.

    Raises:
        InputError: a field is missing or is not what it has to be.
    """
    if "messages" not in body:
        raise not_a_request("it has no `messages`")
    try:
        messages = parse_messages(body["messages"], documents)
        tools = body.get("tools")
        toolset = NO_TOOLS if tools is None else parse_toolset(bytes(tools))
        if not toolset.tools and "functions" in body:
            toolset = parse_toolset(bytes(body["functions"]))
        wanted = body.get("response_format")
        return Request(
            _optional(body, "model", str, ""),
            messages,
            toolset,
            PLAIN_TEXT if wanted is None else parse_output_format(bytes(wanted)),
            _tool_choice(body),
            _optional(body, "stream", bool, False),
            {name: _value(raw) for name, raw in body.items() if name not in _OWN_FIELDS},
            _optional(body, "metadata", dict[str, Any], {}) if "metadata" in body else {},
        )
    except UNREADABLE as problem:
        raise not_a_request(problem) from problem


def parse_messages(raw: bytes | msgspec.Raw, documents: bool = True) -> tuple[Message, ...]:
    """Read a list of chat messages; text parts, and documents that can be read, are joined by
    newlines. `other_parts` has the kinds of all others, and why a document was not read.

    Raises:
        InputError: it is not a list with at least one message.
    """
    messages: list[Message] = []
    try:
        for sent in _messages.decode(raw):
            messages.append(_message(sent, documents))
            # One part that no student reads decides for the whole request.
            documents = documents and not messages[-1].other_parts
    except UNREADABLE as problem:
        raise not_a_request(problem, "messages") from problem
    if not messages:
        raise not_a_request("`messages` is empty")
    return tuple(messages)


def parse_answer(body: bytes | msgspec.Raw) -> tuple[Answer, Usage | None, str]:
    """Read the JSON of a chat.completion: its first choice, its usage, the model that answered.

    Raises:
        InputError: it is not one, or it is an error.
    """
    try:
        completion = _completion.decode(body)
    except UNREADABLE as problem:
        raise _not_an_answer(problem) from problem
    return answer_from(completion)


def answer_from(completion: ChatCompletion) -> tuple[Answer, Usage | None, str]:
    """Read a chat.completion that has been decoded already; usage is None when unknown.

    Raises:
        InputError: it has no choice with a message.
    """
    if not completion.choices or completion.choices[0].message is None:
        raise _not_an_answer("it is an error" if completion.error else "it has no message")
    choice = completion.choices[0]
    answer = _answer(cast("_Message", choice.message), choice.finish_reason)
    if choice.logprobs is not None and choice.logprobs.content:
        first = choice.logprobs.content[0].top_logprobs or []
        likely = tuple((one.token, math.exp(min(one.logprob, 0.0))) for one in first)
        answer = msgspec.structs.replace(answer, first_tokens=likely)
    return answer, usage_told(completion.usage), completion.model or ""


def answer_of(message: bytes | msgspec.Raw) -> Answer:
    """Read one assistant message, with no completion around it, as an answer.

    Raises:
        InputError: it is not a message.
    """
    try:
        return _answer(_answer_message.decode(message), None)
    except UNREADABLE as problem:
        raise _not_an_answer(problem) from problem


def _not_an_answer(problem: object) -> InputError:
    return InputError(
        f"This is not a chat completion: {problem}; a JSON object with `choices` is needed."
    )


def _optional(body: ChatBody, name: str, kind: Any, default: Any) -> Any:
    raw = body.get(name)
    if raw is None:
        return default
    try:
        value = _value(raw) if kind not in (str, bool) else _anything.decode(raw)
        return default if value is None else msgspec.convert(value, kind)
    except UNREADABLE as problem:
        raise not_a_request(problem, name) from problem


def _value(raw: msgspec.Raw) -> Any:
    data = bytes(raw)
    value = _anything.decode(data)
    check_nesting(data, value)
    return value


def _tool_choice(body: ChatBody) -> Any:
    if "tool_choice" in body:
        return _value(body["tool_choice"])
    if "function_call" not in body:
        return None
    choice = _value(body["function_call"])
    return choice if isinstance(choice, str) else {"type": "function", "function": choice}


def _message(sent: _Sent, documents: bool) -> Message:
    content = sent.content
    others: tuple[str, ...] = ()
    if content is None:
        text = ""
    elif isinstance(content, str):
        text = content
    else:
        text, others = _joined(content, documents)
    calls = _calls(sent) if sent.tool_calls or sent.function_call else ()
    return Message(sent.role, text, calls, sent.tool_call_id or "", others)


def _joined(parts: list[_Part | str], documents: bool) -> tuple[str, tuple[str, ...]]:
    texts: list[str] = []
    others: list[str] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        elif part.type in _TEXT_PARTS and part.text is not None:
            texts.append(part.text)
        elif documents and not others and part.type in KINDS:
            text, why = document_text(msgspec.structs.asdict(part))
            if why:
                others.append(f"{part.type}: {why}")
            else:
                texts.append(text)
        else:
            others.append(part.type)
    return "\n".join(texts), tuple(others)


def _calls(sent: _Message) -> tuple[ToolCall, ...]:
    calls = [_call(call) for call in sent.tool_calls or ()]
    if not calls and sent.function_call:
        calls.append(ToolCall(sent.function_call.name, _arguments(sent.function_call)))
    return tuple(calls)


def _call(call: _ToolCall) -> ToolCall:
    if call.function is not None:
        return ToolCall(call.function.name, _arguments(call.function), call.id or "")
    if call.custom is not None:
        return ToolCall(call.custom.name, call.custom.input, call.id or "")
    raise ValueError("a tool call has no `function`")


def _arguments(function: _Function) -> str:
    arguments = function.arguments
    if isinstance(arguments, dict):  # some servers send the object itself
        return msgspec.json.encode(arguments).decode()
    return arguments or ""


def _answer(message: _Message, finish_reason: str | None) -> Answer:
    content = message.content
    text = _joined(content, documents=False)[0] if isinstance(content, list) else content
    try:
        calls = _calls(message) if message.tool_calls or message.function_call else ()
    except UNREADABLE as problem:
        raise _not_an_answer(problem) from problem
    return Answer(text, calls, message.refusal, finish_reason)
