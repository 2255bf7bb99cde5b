"""OpenAI's Decisions API: typed questions about an input, answered with probabilities, no text.

Only closed fields can be asked: a choice of 2 to 255 values, each a string or a boolean.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from stepdown.core.calls import Request, Usage
from stepdown.errors import InputError

__all__ = ["MOST_CHOICES", "Decided", "decision_body", "parse_decision"]

MOST_CHOICES = 255

_encode = msgspec.json.Encoder().encode


class Decided(msgspec.Struct, frozen=True):
    """One answer: the chosen value and its probability; a refusal has neither."""

    value: str | bool | None = None
    probability: float | None = None


class _Option(msgspec.Struct):
    value: str | bool
    probability: float


class _Answer(msgspec.Struct):
    type: str
    name: str | None = None
    choice: str | bool | None = None
    probabilities: list[_Option] = []


class _Cached(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int = 0
    output_tokens: int = 0
    input_tokens_details: _Cached | None = None


class _Decision(msgspec.Struct):
    answers: list[_Answer]
    usage: _Usage | None = None


_decision = msgspec.json.Decoder(_Decision)


def decision_body(
    request: Request, model: str, questions: Mapping[str, Sequence[str | bool]]
) -> bytes:
    """Return the body that asks `model` to choose a value of each field, given the request.

    The system messages are the instructions of every question; the other turns are the input.
    `questions` maps a field's name ("answer" where it has none) to its values.
    """
    system = ("system", "developer")
    instructions = "\n".join(m.text for m in request.messages if m.role in system)
    said = [m for m in request.messages if m.role in ("user", "assistant") and m.text]
    return _encode(
        {
            "model": model,
            "input": [
                {"type": "message", "role": message.role, "content": message.text}
                for message in said
            ],
            "questions": [
                {
                    "type": "choice",
                    "name": name,
                    "instructions": f"{instructions}\nChoose the value of `{name}`.".strip(),
                    "choices": [{"value": value} for value in values],
                }
                for name, values in questions.items()
            ],
        }
    )


def parse_decision(body: bytes) -> tuple[dict[str, Decided], Usage | None]:
    """Read a response: the answers by the questions' names, and the tokens billed.

    Raises:
        InputError: it is not one.
    """
    try:
        found = _decision.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise InputError(f"This is no answer of a decisions endpoint ({problem}).") from problem
    return {answer.name or "answer": _decided(answer) for answer in found.answers}, _used(found)


def _used(found: _Decision) -> Usage | None:
    if found.usage is None:
        return None
    cached = found.usage.input_tokens_details or _Cached()
    return Usage(
        found.usage.input_tokens,
        found.usage.output_tokens,
        cached.cached_tokens or 0,
        cached.cache_write_tokens or 0,
    )


def _decided(answer: _Answer) -> Decided:
    if answer.type != "choice" or answer.choice is None:
        return Decided()
    chances: dict[Any, float] = {
        (type(option.value), option.value): option.probability for option in answer.probabilities
    }
    return Decided(answer.choice, chances.get((type(answer.choice), answer.choice)))
