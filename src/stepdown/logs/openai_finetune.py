"""OpenAI fine-tuning files: {"messages": […], "tools"?, "parallel_tool_calls"?}, one a line.

The last assistant message is the answer and what stands before it the request; `weight: 0` on that
message says that it is not to be learnt from. There is no model, no time and no usage in them.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from stepdown.core.calls import Answer, Call, Request
from stepdown.core.ports import Line
from stepdown.logs import reasons
from stepdown.logs.each import each_call
from stepdown.logs.lines import line_id
from stepdown.logs.reasons import Unanswered
from stepdown.wire.openai import ChatBody, answer_of, request_from

__all__ = ["FORMAT", "FineTune"]

_ANSWERS = frozenset(
    (
        *("request", "response", "choices", "custom_id", "object", "call_type"),
        *("answer", "completion", "output"),
    )
)
"""Fields of other formats: what stands in them is an answer, or points to one."""

UNWEIGHTED = "answer of weight 0"


class _Turn(msgspec.Struct):
    role: str
    weight: float | None = None


_body = msgspec.json.Decoder(ChatBody).decode
_messages = msgspec.json.Decoder(list[msgspec.Raw]).decode
_turn = msgspec.json.Decoder(_Turn).decode


class FineTune:
    """Reads fine-tuning files."""

    name = "openai-finetune"

    def detect(self, sample: Sequence[dict[str, Any]]) -> bool:
        """Say whether a line has messages, and no answer beside them."""
        return any(
            isinstance(line.get("messages"), list) and not line.keys() & _ANSWERS for line in sample
        )

    def read(self, lines: Iterable[Line]) -> Iterator[Call | str]:
        """Yield each line's call, or why there is none."""
        return each_call(lines, _call)


def _call(line: Line) -> Call | str:
    body = _body(line.data)
    if "messages" not in body:
        return reasons.NO_REQUEST
    messages = _messages(body["messages"])
    turns = [_turn(raw) for raw in messages]
    last = max((at for at, turn in enumerate(turns) if turn.role == "assistant"), default=-1)
    if last < 0:
        return Unanswered.of(reasons.NO_ANSWER, lambda: _made(line, request_from(body), Answer()))
    if turns[last].weight == 0:
        return UNWEIGHTED
    if last == 0:
        return reasons.NO_REQUEST
    asked = b"[" + b",".join(map(bytes, messages[:last])) + b"]"
    request = request_from(body | {"messages": msgspec.Raw(asked)})
    return _made(line, request, answer_of(messages[last]))


def _made(line: Line, request: Request, answer: Answer) -> Call:
    return Call(line_id(line), request, answer, request.model)


FORMAT = FineTune()
