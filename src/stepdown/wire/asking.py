"""Putting a request to another model, and reading what it says as a prediction of a task's answer.

A teacher is sent the request as it was logged. A chat model is sent it as it is; a decisions
endpoint is sent the task's closed fields as questions. Log-probabilities, where they come, are the
confidence; else it is 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from stepdown.core.anatomy import Anatomy
from stepdown.core.calls import Answer, Request, Usage
from stepdown.core.ports import Prediction
from stepdown.core.records import read_answer, unflatten, write_json
from stepdown.core.tasks import Task
from stepdown.errors import Refusal
from stepdown.wire.openai import parse_answer
from stepdown.wire.openai_bodies import request_body
from stepdown.wire.openai_decisions import MOST_CHOICES, decision_body, parse_decision
from stepdown.wire.openai_logprobs import answer_probability

__all__ = ["Api", "Inquiry", "asked", "inquiry_of", "said", "taught"]

_LIMITS = ("max_completion_tokens", "max_tokens")
_PER_MESSAGE, _FOR_TOOLS = 16, 1024

Api = Literal["chat", "decisions"]


class Inquiry(msgspec.Struct, frozen=True):
    """How one model is asked for a task's answers; `questions` are a decisions endpoint's, by the
    field's path ("answer" where it has none), with their values."""

    model: str
    api: Api
    anatomy: Anatomy
    questions: Mapping[str, Sequence[str | bool]] = {}

    @property
    def path(self) -> str:
        """Where the question goes, below an API's root."""
        return "/decisions" if self.api == "decisions" else "/chat/completions"


def inquiry_of(task: Task, model: str, api: Api) -> Inquiry:
    """Return how `model` is asked for the task's answers.

    Raises:
        Refusal: a decisions endpoint has no way to ask for them.
    """
    if api == "chat":
        return Inquiry(model, api, task.anatomy)
    return Inquiry(model, api, task.anatomy, _questions(task))


def asked(inquiry: Inquiry, request: Request, *, logprobs: bool = True) -> bytes:
    """Return the body that asks; some chat models refuse one that wants `logprobs`."""
    if inquiry.api == "decisions":
        return decision_body(request, inquiry.model, inquiry.questions)
    wanted = {"logprobs": True} if logprobs else {}
    return request_body(request, inquiry.model, **wanted)


def taught(request: Request, model: str, most: int, limit: str) -> tuple[bytes, Usage]:
    """Return the body that asks a teacher what was logged, and the most tokens that it can take.

    The answer's limit is the request's own, else `most`; it is called `limit`. A token is at least
    one byte; what a provider adds around messages and tools is allowed for, and that it puts all
    of it into its cache unasked.
    """
    own = [request.params[name] for name in _LIMITS if isinstance(request.params.get(name), int)]
    params = {name: value for name, value in request.params.items() if name not in _LIMITS}
    params.pop("n", None)  # several answers would be paid for, and one is read
    written = max(own, default=most)
    plain = msgspec.structs.replace(request, params={**params, limit: written})
    body = request_body(plain, model)
    around = _PER_MESSAGE * len(request.messages) + (_FOR_TOOLS if request.tools.tools else 0)
    read = len(body) + around
    return body, Usage(read, written, 0, read)


def said(inquiry: Inquiry, body: bytes) -> tuple[Prediction, Usage | None]:
    """Return what the model said, an abstention where that is no answer, and what it used.

    Raises:
        InputError: the body is not an answer of such an endpoint.
    """
    return (_decision if inquiry.api == "decisions" else _completion)(inquiry, body)


def _completion(inquiry: Inquiry, body: bytes) -> tuple[Prediction, Usage | None]:
    answer, usage, _ = parse_answer(body)
    record = read_answer(answer, inquiry.anatomy.shape)
    if record is None:
        return _abstained("Its answer is of another shape."), usage
    sure = answer_probability(body)
    return Prediction(record, answer, 1.0 if sure is None else sure), usage


def _decision(inquiry: Inquiry, body: bytes) -> tuple[Prediction, Usage | None]:
    decided, usage = parse_decision(body)
    fields: dict[str, float] = {}
    record: dict[str, str | bool] = {}
    sure = 1.0
    for name in inquiry.questions:
        one = decided.get(name)
        if one is None or one.value is None:
            return _abstained(f"It would not decide {name}."), usage
        path = name if name.startswith("/") else ""
        record[path] = one.value
        fields[path] = one.probability if one.probability is not None else 1.0
        sure *= fields[path]
    written = _written(record, inquiry.anatomy.style)
    return Prediction(record, written, sure, fields), usage


def _written(record: Mapping[str, str | bool], style: dict[str, Any]) -> Answer:
    value = unflatten(dict(record))
    return Answer(value if isinstance(value, str) else write_json(value, style))


def _abstained(why: str) -> Prediction:
    return Prediction({}, None, 0.0, abstained=why)


def _questions(task: Task) -> dict[str, Sequence[str | bool]]:
    questions: dict[str, Sequence[str | bool]] = {}
    for field in task.anatomy.fields:
        values = [value for value in field.values if isinstance(value, str | bool)]
        closed = field.kind == "choice" and 2 <= len(values) <= MOST_CHOICES
        if not closed or len(values) < len(field.values) or task.anatomy.shape == "tool":
            raise Refusal(
                f"A decisions endpoint chooses among 2 to {MOST_CHOICES} texts, and "
                f"{field.path or 'the answer'} of {task.name} is no such choice; set api = "
                '"chat" under [tiers.mid].'
            )
        questions[field.path or "answer"] = values
    return questions
