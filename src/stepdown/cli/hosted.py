"""A model behind an API weighed without training: the same prompts, asked again of `[tiers.mid]`.

Only rows that a certificate or its proof needs are asked, and they are paid for, so it happens when
the user says so. What was answered is kept beside the dataset and never asked again.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, median

import msgspec

from stepdown import plugins
from stepdown.audit.prices import ATTODOLLARS, cost_of
from stepdown.cli.options import Session
from stepdown.cli.privacy import cleaner, shown
from stepdown.cli.sources import all_calls
from stepdown.config import TierConfig
from stepdown.core.calls import Answer, Call, Request, Usage
from stepdown.core.datasets import Dataset, Example
from stepdown.core.ports import Complete, Prediction, Progress
from stepdown.core.tasks import Task
from stepdown.errors import ConfigError, InputError, Refusal, UpstreamError
from stepdown.label.asking import TRIES
from stepdown.label.pacing import Pace, Patience
from stepdown.label.trouble import trouble
from stepdown.students.backed import Backed, Model
from stepdown.students.hosted import HostedStudent
from stepdown.wire.asking import Inquiry, asked, inquiry_of, said

__all__ = ["Hosted", "ask_behind", "ask_hosted", "asked_in"]

_AT_ONCE = 8
_BAD_REQUEST = 400
_TIMEOUT_S = 120.0

_Failure = UpstreamError | InputError | TimeoutError


class Hosted(msgspec.Struct, frozen=True):
    """A hosted model's answers to the calibration rows, as a student.

    `usd_per_1000` is the mean price of its calls (None: unknown), `p50_ms` the median time
    of those that it answered. `asked` rows were asked, `failed` of them without an answer.
    """

    model: Model
    student: HostedStudent
    usd_per_1000: float | None
    p50_ms: float
    asked: int
    failed: int


class _Reply(msgspec.Struct, frozen=True):
    """What the model said to one row, in how many seconds once it was asked; this is also a line of
    the file that is kept."""

    row: str
    model: Model
    prediction: Prediction
    seconds: float
    usage: Usage | None = None
    time: float | None = None


def ask_hosted(session: Session, task: Task, dataset: Dataset, progress: Progress) -> Hosted:
    """Ask `[tiers.mid]` what the teacher was asked in the calibration rows.

    Raises:
        ConfigError: there is no such tier, it names no model, or its key is not set.
        Refusal: the task is not one for a decisions endpoint, or nothing could be asked.
    """
    rows = dataset.part("calibration")
    replies = _replies(session, task, dataset, rows, progress)
    tier, model, _ = _tier(session)
    answered = [one for one in replies if one.prediction.answer is not None] or replies
    return Hosted(
        model,
        _student(model, rows, replies),
        _usd(tier, model.name, replies),
        median(reply.seconds for reply in answered) * 1000.0,
        len(replies),
        sum(reply.prediction.answer is None for reply in replies),
    )


def ask_behind(
    session: Session, task: Task, dataset: Dataset, student: Backed, progress: Progress
) -> None:
    """Ask the model behind a student for the calibration and test rows that the student leaves.

    Raises:
        ConfigError: `[tiers.mid]` is not the model that the student was joined with.
        Refusal: as in `ask_hosted`.
    """
    model = _tier(session)[1]
    if model != student.model:
        raise ConfigError(
            f"The student was joined with {student.model.name} ({student.model.api}), and "
            f"[tiers.mid] names {model.name} ({model.api}); set it back, or train again."
        )
    rows = [
        row
        for row in (*dataset.part("calibration"), *dataset.part("test"))
        if student.leaves(student.first.predict(row.input))
    ]
    if rows:
        replies = _replies(session, task, dataset, rows, progress)
        student.hosted = _student(model, rows, replies)


def asked_in(session: Session, task: str) -> tuple[int, int]:
    """Return what hosted models were paid for the rows of a task's datasets, in attodollars, and of
    how many answers nobody knows the price."""
    tier = session.config.tiers.get("mid")
    flat = tier.usd_per_1000 if tier else None
    paid = unknown = 0
    for path in session.workspace.folder(task).glob("hosted-*.jsonl"):
        for reply in _kept(path):
            cost = _cost(reply.model.name, reply, flat)
            paid += cost or 0
            unknown += cost is None
    return paid, unknown


def _cost(model: str, reply: _Reply, usd_per_1000: float | None) -> int | None:
    """Return the attodollars of one answer: as configured, else by the kept price list."""
    if usd_per_1000 is not None:
        return round(usd_per_1000 * ATTODOLLARS / 1000)
    if reply.usage is None:
        return None
    return cost_of(Call("", Request(model, ()), Answer(), model, reply.time, usage=reply.usage))


def _student(model: Model, rows: Sequence[Example], replies: Sequence[_Reply]) -> HostedStudent:
    inputs = {row.id: row.input for row in rows}
    return HostedStudent(model.name, {inputs[one.row]: one.prediction for one in replies})


def _replies(
    session: Session, task: Task, dataset: Dataset, rows: Sequence[Example], progress: Progress
) -> list[_Reply]:
    """Return a reply for each row that still has its call: kept ones, and those asked now."""
    tier, model, key = _tier(session)
    inquiry = inquiry_of(task, model.name, model.api)
    path = session.workspace.folder(task.id) / f"hosted-{dataset.id}.jsonl"
    kept = {one.row: one for one in _kept(path) if one.model == model}
    missing = {row.id for row in rows if row.id not in kept}
    requests: dict[str, Request] = {}
    if missing:
        for call in all_calls(session, task.sources, progress, unanswered=True):
            if call.id in missing:
                requests[call.id] = call.request
    if requests:
        path.touch(0o600)
        with path.open("ab", buffering=0) as file:
            file.write(b"\n")  # ends a line that a crash cut off
            clean = cleaner(session)
            asking = _Asking(
                inquiry,
                model,
                lambda line: file.write(clean(line)),
                progress,
                partial(shown, session),
            )
            kept |= asyncio.run(_ask_all(tier, key, requests, asking))
    found = [kept[row.id] for row in rows if row.id in kept]
    if not found:
        raise Refusal("The calls of the calibration rows are no longer in the logs; label again.")
    return found


def _kept(path: Path) -> Iterator[_Reply]:
    """Yield the replies that were kept; a line cut off by a crash is asked again."""
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        try:
            yield msgspec.json.decode(line, type=_Reply)
        except msgspec.MsgspecError:
            continue


def _tier(session: Session) -> tuple[TierConfig, Model, str | None]:
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
    return tier, Model(tier.model, tier.api), key


class _Asking(msgspec.Struct, frozen=True):
    """How rows are asked, and who hears of each reply; what an API says of one is told `clean`."""

    inquiry: Inquiry
    model: Model
    keep: Callable[[bytes], object]
    progress: Progress
    clean: Callable[[str], str]


async def _ask_all(
    tier: TierConfig, key: str | None, requests: Mapping[str, Request], asking: _Asking
) -> dict[str, _Reply]:
    """Return a reply to each request.

    Raises:
        Refusal: the key or the model is refused, or nothing answers; what was answered is kept.
    """
    name = "openai-decisions" if tier.api == "decisions" else "openai-compatible"
    replies: dict[str, _Reply] = {}
    waiting = iter(requests.items())
    async with plugins.provider(name).connect(tier.base_url, key) as complete:
        asker = _Asker(complete, asking)

        async def work() -> None:
            for row, request in waiting:
                reply = await asker.ask(row, request)
                if reply is None:
                    return
                replies[row] = reply
                if reply.usage is not None or reply.prediction.answer is not None:
                    asking.keep(msgspec.json.encode(reply) + b"\n")
                asking.progress(f"asking {asking.model.name}", len(replies), len(requests))

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    if asker.ended:
        raise Refusal(asking.clean(asker.ended.replace("The teacher", asking.model.name, 1)))
    return replies


class _Asker:
    """Asks rows as a teacher is asked (`label.pacing`); `ended` says why no more is asked."""

    def __init__(self, complete: Complete, asking: _Asking) -> None:
        self._complete = complete
        self._asking = asking
        self._pace = Pace(_AT_ONCE)
        self._patience = Patience(self._pace)
        self.ended = ""

    async def ask(self, row: str, request: Request) -> _Reply | None:
        """Return what becomes of a row; None where no more is asked."""
        inquiry, left = self._asking.inquiry, TRIES
        body = asked(inquiry, request)
        while (entered := await self._turn()) is not None:
            began = time.monotonic()
            found = await self._tried(body)
            took = time.monotonic() - began
            self._pace.leave()
            if isinstance(found, tuple):
                self._patience.answered()
                return self._reply(row, *found, took)
            plain = asked(inquiry, request, logprobs=False)
            if getattr(found, "status", None) == _BAD_REQUEST and body != plain:
                # Some models refuse to tell how likely their tokens were.
                body = plain
                continue
            left -= 1
            if not self._again(found, entered, left):
                failed = Prediction({}, None, 0.0, abstained=str(found))
                return self._reply(row, failed, None, took)
        return None

    async def _turn(self) -> int | None:
        if await self._pace.enter(0, lambda: 0) is None:
            return None
        entered = await self._pace.turn(0)
        if entered is None:
            self._pace.leave(sent=False)
        return entered

    def _again(self, found: _Failure, entered: int, left: int) -> bool:
        told = trouble(found)
        self._end(self._patience.tried(told, entered))
        # What came was paid for, and would be no other the next time.
        again = told.again and not isinstance(found, InputError)
        if again and not left:
            self._end(self._patience.left(told))
        return again and left > 0

    async def _tried(self, body: bytes) -> tuple[Prediction, Usage | None] | _Failure:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return said(self._asking.inquiry, await self._complete(body))
        except (UpstreamError, InputError, TimeoutError) as error:
            return error

    def _end(self, why: str) -> None:
        if why:
            self.ended = self.ended or why
            self._pace.close()

    def _reply(self, row: str, prediction: Prediction, usage: Usage | None, took: float) -> _Reply:
        why = self._asking.clean(prediction.abstained)
        prediction = msgspec.structs.replace(prediction, abstained=why)
        return _Reply(row, self._asking.model, prediction, took, usage, time.time())


def _usd(tier: TierConfig, model: str, replies: Sequence[_Reply]) -> float | None:
    """Return dollars per 1,000 calls: as configured, else by the kept price list."""
    if tier.usd_per_1000 is not None:
        return tier.usd_per_1000
    costs = [_cost(model, reply, None) for reply in replies]
    known = [cost / ATTODOLLARS for cost in costs if cost is not None]
    return fmean(known) * 1000.0 if known else None
