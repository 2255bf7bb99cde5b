"""A model behind an API weighed without training: the same prompts, asked again of `[tiers.mid]`.

Only the calibration rows are asked, and they are paid for, so it happens when the user says so.
"""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from statistics import fmean, median

import msgspec

from stepdown import plugins
from stepdown.audit.prices import ATTODOLLARS, cost_of
from stepdown.cli import steps
from stepdown.cli.options import Session
from stepdown.config import TierConfig
from stepdown.core.anatomy import Anatomy
from stepdown.core.calls import Answer, Call, Request, Usage
from stepdown.core.datasets import Dataset, Example
from stepdown.core.ports import Complete, Prediction, Progress
from stepdown.core.records import read_answer, unflatten
from stepdown.core.tasks import Task
from stepdown.errors import ConfigError, InputError, Refusal, UpstreamError
from stepdown.students.hosted import HostedStudent
from stepdown.wire.openai import parse_answer
from stepdown.wire.openai_bodies import request_body
from stepdown.wire.openai_decisions import MOST_CHOICES, decision_body, parse_decision
from stepdown.wire.openai_logprobs import answer_probability

__all__ = ["Hosted", "ask_hosted"]

_AT_ONCE = 8
_TRIES = 3
_WAIT_S = 0.5
_BAD_REQUEST = 400
_PASSING = frozenset((408, 409, 425, 429, 500, 502, 503, 504, 529))
"""Statuses after which another try may help."""


class Hosted(msgspec.Struct, frozen=True):
    """A hosted model's answers to the calibration rows, as a student.

    `usd_per_1000` is the mean price of its calls (None: unknown), `p50_ms` their median time.
    `asked` rows were asked, `failed` of them without an answer.
    """

    model: str
    student: HostedStudent
    usd_per_1000: float | None
    p50_ms: float
    asked: int
    failed: int


class _Reply(msgspec.Struct, frozen=True):
    example: Example
    prediction: Prediction
    seconds: float
    usage: Usage | None = None


def ask_hosted(session: Session, task: Task, dataset: Dataset, progress: Progress) -> Hosted:
    """Ask `[tiers.mid]` what the teacher was asked in the calibration rows.

    Raises:
        ConfigError: there is no such tier, it names no model, or its key is not set.
        Refusal: the task is not one for a decisions endpoint, or nothing could be asked.
    """
    tier, model, key = _tier(session)
    questions = _questions(task) if tier.api == "decisions" else {}
    rows = {example.id: example for example in dataset.part("calibration")}
    asked: list[tuple[Example, Request]] = []
    for call in steps.all_calls(session, task.sources, progress):
        example = rows.pop(call.id, None)
        if example is not None:
            asked.append((example, call.request))
    if not asked:
        raise Refusal("The calls of the calibration rows are no longer in the logs; label again.")
    replies = asyncio.run(_ask_all(tier, model, key, asked, (task.anatomy, questions), progress))
    answers = {reply.example.input: reply.prediction for reply in replies}
    failed = sum(reply.prediction.answer is None for reply in replies)
    return Hosted(
        model,
        HostedStudent(model, answers),
        _usd(tier, model, replies),
        median(reply.seconds for reply in replies) * 1000.0,
        len(replies),
        failed,
    )


def _tier(session: Session) -> tuple[TierConfig, str, str | None]:
    tier = session.config.tiers.get("mid")
    if tier is None or not tier.model:
        raise ConfigError(
            "--mid needs a model to ask; set base_url and model under [tiers.mid] in stepdown.toml."
        )
    key = os.environ.get(tier.api_key_env) if tier.api_key_env else None
    if tier.api_key_env and not key:
        raise ConfigError(
            f"[tiers.mid] takes its key from {tier.api_key_env}, which is not set; set it."
        )
    return tier, tier.model, key


def _questions(task: Task) -> dict[str, Sequence[str | bool]]:
    """Return the fields as questions with their values, by the field's path or "answer"."""
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


async def _ask_all(
    tier: TierConfig,
    model: str,
    key: str | None,
    asked: Sequence[tuple[Example, Request]],
    shape: tuple[Anatomy, Mapping[str, Sequence[str | bool]]],
    progress: Progress,
) -> list[_Reply]:
    anatomy, questions = shape
    name = "openai-decisions" if tier.api == "decisions" else "openai-compatible"
    gate = asyncio.Semaphore(_AT_ONCE)
    done = 0

    async def one(complete: Complete, example: Example, request: Request) -> _Reply:
        nonlocal done
        async with gate:
            began = time.monotonic()
            if questions:
                prediction, usage = await _decide(complete, request, model, questions)
            else:
                prediction, usage = await _chat(complete, request, model, anatomy)
            took = time.monotonic() - began
        done += 1
        progress(f"asking {model}", done, len(asked))
        return _Reply(example, prediction, took, usage)

    async with plugins.provider(name).connect(tier.base_url, key) as complete:
        return await asyncio.gather(*(one(complete, *row) for row in asked))


def _failed(why: object) -> tuple[Prediction, None]:
    return Prediction({}, None, 0.0, abstained=str(why)), None


async def _sent(complete: Complete, body: bytes) -> bytes | UpstreamError:
    """Return the answer, after a few tries where another may help, or why there is none."""
    for turn in range(_TRIES):
        try:
            return await complete(body)
        except UpstreamError as error:
            final = error.status is not None and error.status not in _PASSING
            if final or turn == _TRIES - 1:
                return error
        await asyncio.sleep(_WAIT_S * 2**turn)
    raise AssertionError("the last try returns")


async def _chat(
    complete: Complete, request: Request, model: str, anatomy: Anatomy
) -> tuple[Prediction, Usage | None]:
    body = await _sent(complete, request_body(request, model, logprobs=True))
    if isinstance(body, UpstreamError) and body.status == _BAD_REQUEST:
        # Some models refuse to tell how likely their tokens were.
        body = await _sent(complete, request_body(request, model))
    if isinstance(body, UpstreamError):
        return _failed(body)
    try:
        answer, usage, _ = parse_answer(body)
    except InputError as error:
        return _failed(error)
    record = read_answer(answer, anatomy.shape)
    if record is None:
        return Prediction({}, None, 0.0, abstained="Its answer is of another shape."), usage
    sure = answer_probability(body)
    return Prediction(record, answer, 1.0 if sure is None else sure), usage


async def _decide(
    complete: Complete,
    request: Request,
    model: str,
    questions: Mapping[str, Sequence[str | bool]],
) -> tuple[Prediction, Usage | None]:
    body = await _sent(complete, decision_body(request, model, questions))
    if isinstance(body, UpstreamError):
        return _failed(body)
    try:
        decided, usage = parse_decision(body)
    except InputError as error:
        return _failed(error)
    fields: dict[str, float] = {}
    record: dict[str, str | bool] = {}
    sure = 1.0
    for name in questions:
        said = decided.get(name)
        if said is None or said.value is None:
            return Prediction({}, None, 0.0, abstained=f"It would not decide {name}."), usage
        path = name if name.startswith("/") else ""
        record[path] = said.value
        fields[path] = said.probability if said.probability is not None else 1.0
        sure *= fields[path]
    return Prediction(record, Answer(str(unflatten(record))), sure, fields), usage


def _usd(tier: TierConfig, model: str, replies: Sequence[_Reply]) -> float | None:
    """Return dollars per 1,000 calls: as configured, else by the kept price list."""
    if tier.usd_per_1000 is not None:
        return tier.usd_per_1000
    request = Request(model, ())
    costs = [
        cost_of(Call("", request, Answer(), model, usage=reply.usage))
        for reply in replies
        if reply.usage is not None
    ]
    known = [cost / ATTODOLLARS for cost in costs if cost is not None]
    return fmean(known) * 1000.0 if known else None
