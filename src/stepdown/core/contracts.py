"""The contract of a student: for which requests it may answer, and what its answer has to keep.

A student stands in for a teacher under the conditions of the log it was trained on. Whatever it
can't honour to the letter goes to the teacher; nothing that the caller asked for is ignored.

| field of the request | the student may answer when |
|---|---|
| `tools`, `response_format` | the same as in training (canonical hash) |
| text and readable files only | no image, audio or unreadable file stands in any message |
| `temperature` | at most the largest in the log, or 1.0 when the log names none |
| `top_p`, `frequency_penalty`, `presence_penalty` | in the API's own range |
| `seed`, `user`, `metadata`, `service_tier`, `reasoning_effort` and the like | always |
| `max_tokens`, `max_completion_tokens` | the answer fits, and most of the log's did |
| `tool_choice` | absent, `auto`, or as in the log; `required` or a named tool: the answer obeys |
| `stop` | as in the log, and the answer holds none of the sequences |
| `n` 1, `logprobs` false, `store` false, `modalities` ["text"] | as if they were absent |
| anything else | exactly as in the log |

A null is the same as an absent field.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from stepdown.core.calls import Answer, Request
from stepdown.core.routes import Reason
from stepdown.core.tasks import Task

__all__ = ["Contract", "answer_tokens", "answer_violation", "contract_of", "violation"]

Violation = tuple[Reason, str]
"""The reason for the decision header, and one sentence for people."""

CHARS_PER_TOKEN = 4


class Contract(msgspec.Struct, frozen=True):
    """What a student was trained under.

    `tools` and `output_format` are the canonical hashes ("" for none), `dataset` the fingerprint
    of its training data, `params` what the log held of the other body fields: for each field the
    values seen, or `{"max": x}`.
    """

    task: str
    tools: str
    output_format: str
    dataset: str
    params: dict[str, Any] = {}


def contract_of(task: Task, dataset: str) -> Contract:
    """Return the contract of a student of `task` trained on the dataset of that fingerprint."""
    signature = task.signature
    return Contract(task.id, signature.tools, signature.output_format, dataset, task.params)


def violation(contract: Contract, request: Request) -> Violation | None:
    """Say why the student may not answer `request`, or None when it may."""
    if request.tools.hash != contract.tools:
        return "contract", "The tools are not those that the student was trained with."
    if request.output_format.hash != contract.output_format:
        return "contract", "The response format is not the one that the student was trained with."
    for message in request.messages:
        if message.other_parts:
            kind, _, why = message.other_parts[0].partition(": ")
            said = f", which can't be read: {why}" if why else ""
            return "unsupported_param", f"A message holds a part of kind {kind!r}{said}."
    if not _choice_allowed(contract, request):
        return "unsupported_param", "The tool_choice is not one of the log's."
    for name, value in request.params.items():
        if value is not None and not _allowed(contract.params, name, value):
            return "unsupported_param", f"The student can't honour this value of {name[:60]!r}."
    return None


def answer_violation(
    contract: Contract, request: Request, answer: Answer, usual: float = 0.0
) -> Violation | None:
    """Say what `answer` breaks of what `request` asked for, or None when it keeps everything.

    `usual` is how many tokens the teacher's answers took on average: its own would not have fitted
    into fewer, whatever a quarter of the characters says.
    """
    limits = [
        limit
        for name in ("max_tokens", "max_completion_tokens")
        if isinstance(limit := request.params.get(name), int)
    ]
    if limits and max(answer_tokens(answer), int(usual)) > min(limits):
        return "unsupported_param", "The answer would not fit into max_tokens."
    if any(sequence in (answer.text or "") for sequence in _stops(request.params.get("stop"))):
        return "unsupported_param", "The answer holds a stop sequence."
    if request.params.get("parallel_tool_calls") is False and len(answer.tool_calls) > 1:
        return "unsupported_param", "The answer calls several tools, and one was asked for."
    if not _obeys_choice(request.tool_choice, answer):
        return "unsupported_param", "The answer does not call the tool that tool_choice demands."
    return None


def answer_tokens(answer: Answer) -> int:
    """Estimate an answer's tokens: a quarter of its characters, rounded up, and never 0.

    A call of a tool counts its name, its arguments and three tokens of frame.
    """
    chars = len(answer.text or "")
    chars += sum(len(call.name) + len(call.arguments) + 12 for call in answer.tool_calls)
    return max(1, -(-chars // CHARS_PER_TOKEN))


def _always(value: Any) -> bool:
    return True


def _within(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: _is_number(value) and low <= value <= high


def _one_of(*values: Any) -> Callable[[Any], bool]:
    return lambda value: any(value == known and type(value) is type(known) for known in values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_HONOURED: Mapping[str, Callable[[Any], bool]] = {
    "frequency_penalty": _within(-2, 2),
    "logprobs": _one_of(False),
    "max_completion_tokens": _positive,
    "max_tokens": _positive,
    "metadata": _always,
    "modalities": _one_of(["text"]),
    "n": _one_of(1),
    "parallel_tool_calls": lambda value: isinstance(value, bool),
    "presence_penalty": _within(-2, 2),
    "prompt_cache_key": _always,
    "prompt_cache_retention": _always,
    "reasoning_effort": lambda value: isinstance(value, str),
    "safety_identifier": _always,
    "seed": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "service_tier": lambda value: isinstance(value, str),
    "store": _one_of(False),
    "stream_options": lambda value: isinstance(value, dict),
    "top_p": _within(0, 1),
    "user": lambda value: isinstance(value, str),
}
"""Fields that a student honours whatever the log held, and for which values."""

_NEVER = {
    "audio",
    "functions",
    "logprobs",
    "modalities",
    "n",
    "prediction",
    "store",
    "top_logprobs",
    "web_search_options",
}
"""Fields whose effect no student has, even where the log held the very same value."""


def _allowed(logged: Mapping[str, Any], name: str, value: Any) -> bool:
    if name == "temperature":
        return _is_number(value) and 0 <= value <= _largest(logged.get(name), 1.0)
    check = _HONOURED.get(name)
    if check is not None and check(value):
        return True
    if name in _NEVER:
        return False
    seen = logged.get(name)
    if isinstance(seen, dict):
        return check is None and _is_number(value) and value <= _largest(seen, float("-inf"))
    return isinstance(seen, list | tuple) and value in cast("list[Any]", seen)


def _largest(seen: Any, default: float) -> float:
    """Return the largest number of what the log held of a field, or `default` without any."""
    if isinstance(seen, dict):
        seen = [cast("dict[str, Any]", seen).get("max")]
    if not isinstance(seen, list | tuple):
        return default
    return max((value for value in cast("list[Any]", seen) if _is_number(value)), default=default)


def _choice_allowed(contract: Contract, request: Request) -> bool:
    choice = request.tool_choice
    if choice in (None, "auto", "required") or _named_tool(choice):
        return True
    seen = contract.params.get("tool_choice")
    return isinstance(seen, list | tuple) and choice in seen


def _named_tool(choice: Any) -> str:
    if not isinstance(choice, dict):
        return ""
    function = cast("dict[str, Any]", choice).get("function")
    name = cast("dict[str, Any]", function).get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else ""


def _obeys_choice(choice: Any, answer: Answer) -> bool:
    if choice == "required":
        return bool(answer.tool_calls)
    if choice == "none":
        return not answer.tool_calls
    name = _named_tool(choice)
    return not name or [call.name for call in answer.tool_calls] == [name]


def _stops(stop: Any) -> list[str]:
    items = cast("list[Any]", stop) if isinstance(stop, list) else [stop]
    return [item for item in items if isinstance(item, str)]
