"""OpenAI stored completions, as `GET /v1/chat/completions` lists them and as people save them.

Accepted are a list ({"object": "list", "data": […]}), an array, or JSON Lines of `chat.completion`
objects. The API serves the messages of a stored completion apart from it
(`GET /v1/chat/completions/{id}/messages`), so they have to be added to each object: as `messages`,
as `input`, both a list of messages or that endpoint's list object, or as `request`, a whole request
body. Request fields beside them (tools, response_format, temperature …) are read too.
`metadata.stepdown_task` and `metadata.group` are the hints.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from stepdown.core.calls import Call, Request
from stepdown.core.ports import Line
from stepdown.errors import InputError
from stepdown.logs import reasons
from stepdown.logs.each import each_call
from stepdown.logs.hints import caller_hints
from stepdown.logs.lines import line_id
from stepdown.logs.times import parse_time
from stepdown.wire.openai import ChatBody, parse_answer, request_from

__all__ = ["FORMAT", "Stored"]

_ANSWER_FIELDS = (
    *("choices", "created", "id", "input", "object", "request", "request_id"),
    *("service_tier", "system_fingerprint", "usage"),
)


class _Head(msgspec.Struct):
    id: str | None = None
    created: Any = None
    metadata: Any = None


class _MessageList(msgspec.Struct):
    data: msgspec.Raw


_head = msgspec.json.Decoder(_Head).decode
_body = msgspec.json.Decoder(ChatBody).decode
_message_list = msgspec.json.Decoder(_MessageList).decode


class Stored:
    """Reads stored completions."""

    name = "openai-stored"

    def detect(self, sample: Sequence[dict[str, Any]]) -> bool:
        """Say whether a line is a chat.completion itself."""
        return any(
            line.get("object") == "chat.completion" or ("choices" in line and "messages" in line)
            for line in sample
        )

    def read(self, lines: Iterable[Line]) -> Iterator[Call | str]:
        """Yield each completion's call, or why there is none."""
        return each_call(lines, _call)


def _call(line: Line) -> Call | str:
    body = _body(line.data)
    if "choices" not in body:
        return reasons.ERROR_ANSWER if "error" in body else reasons.NO_ANSWER
    try:
        answer, usage, model = parse_answer(line.data)
    except InputError:
        return reasons.MALFORMED_ANSWER
    request = _request(body)
    if request is None:
        return reasons.NO_REQUEST
    head = _head(line.data)
    task, group = caller_hints(head.metadata, request)
    return Call(
        head.id or line_id(line),
        request,
        answer,
        model or request.model,
        parse_time(head.created),
        usage=usage,
        task=task,
        group=group,
    )


def _request(body: ChatBody) -> Request | None:
    if "request" in body and bytes(body["request"]) != b"null":
        return request_from(_body(body["request"]))
    messages = bytes(body.get("messages", body.get("input", b"null")))
    if messages == b"null":
        return None
    if messages.startswith(b"{"):
        messages = bytes(_message_list(messages).data)
    asked = {name: raw for name, raw in body.items() if name not in _ANSWER_FIELDS}
    return request_from(asked | {"messages": msgspec.Raw(messages)})


FORMAT = Stored()
