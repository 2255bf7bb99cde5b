"""One sitting of paid labelling: reserve what is new, read what was stored, ask the rest."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager

import click
import msgspec

from stepdown.audit.prices import ATTODOLLARS
from stepdown.cli.labelling.batches import LEFT_RUNNING, batcher_of
from stepdown.cli.labelling.questions import Plan, question_of, text_of
from stepdown.cli.labelling.repeats import INPUTS, TO_WRITE
from stepdown.cli.labelling.second_questions import reserve
from stepdown.cli.teachers import Teacher
from stepdown.core import display
from stepdown.core.calls import Answer, Request
from stepdown.core.labels import Kept, LabelRun, Outcome, Parsed, Step
from stepdown.core.ports import Engine, Progress
from stepdown.core.tasks import Task
from stepdown.errors import InputError
from stepdown.label.asking import Asker, AskTerms, OutcomeOf, Question, Sitting
from stepdown.label.batching import Batcher
from stepdown.label.outcomes import judge_of
from stepdown.render import DETAIL, say
from stepdown.store.ledger import Ledger
from stepdown.wire.openai import parse_answer
from stepdown.wire.synthetic_prompt import inputs_in

__all__ = ["BY_HAND", "Seat", "interruptible", "sit"]

BY_HAND = "It was stopped by hand; what is paid for is kept."
_WAITING = "Waiting for the answers that are under way; Ctrl-C again leaves them."
_FULL = "The disk is full; what is paid for is kept: make room and type the same command again."


class Seat(msgspec.Struct, frozen=True):
    """Who is asked about what in which run, and what keeps it."""

    engine: Engine
    task: Task
    teacher: Teacher
    run: LabelRun
    ledger: Ledger
    progress: Progress
    batch: bool


def sit(seat: Seat, plan: Plan, terms: AskTerms) -> Sitting:
    """Reserve what is new, read what was stored, and ask."""
    judge = _judge(seat)
    reserve(seat.ledger, seat.run, plan)
    seat.ledger.commit(seat.run.id, [_parsed(seat.task, judge, *one) for one in plan.raw])
    try:
        return asyncio.run(_asked(seat, plan, terms, judge))
    except asyncio.CancelledError:
        raise click.Abort from None


def _judge(seat: Seat) -> OutcomeOf:
    worth = judge_of(seat.task)
    writes = seat.run.terms.get(INPUTS, "").startswith(TO_WRITE)

    def judge(text: str, answer: Answer) -> Outcome:
        if writes:
            return "answered" if inputs_in(answer) else "unreadable"
        return worth(text, answer).outcome

    return judge


async def _asked(seat: Seat, plan: Plan, terms: AskTerms, judge: OutcomeOf) -> Sitting:
    task, teacher, ledger = seat.task, seat.teacher, seat.ledger
    loop = asyncio.get_running_loop()

    def tell(sitting: Sitting) -> None:
        spent = display.money(sitting.spent / ATTODOLLARS)
        done = plan.had + sitting.outcomes.total()
        total = plan.had + len(plan.asked) + plan.later
        seat.progress(f"asking {teacher.model}{DETAIL}{spent}", done, total)

    def commit(steps: Sequence[Step]) -> None:
        ledger.commit(seat.run.id, steps)
        if ledger.cramped:
            loop.call_soon_threadsafe(asker.stop, _FULL)

    def questions() -> Iterator[Question]:
        return (question_of(task, teacher, *one) for one in plan.asked)

    if seat.batch:
        asker = batcher_of((task, teacher, ledger), commit, terms, judge, tell, seat.progress)
        async with interruptible(asker, LEFT_RUNNING), teacher.batches() as batches:
            return await asker.ask(questions, batches)
    asker = Asker(commit, terms, teacher.price, judge, tell)
    async with interruptible(asker, _WAITING), seat.engine.asking(teacher.connect) as complete:
        return await asker.ask(questions(), complete)


def _parsed(task: Task, judge: OutcomeOf, one: Kept, request: Request) -> Parsed:
    key = one.reserved.key
    try:
        answer = one.answer if one.raw is None else parse_answer(one.raw)[0]
    except InputError:  # what could not be cleaned was kept without its content
        answer = None
    if answer is None:
        return Parsed(key, "unreadable", Answer())
    return Parsed(key, judge(text_of(task, request), answer), answer)


@asynccontextmanager
async def interruptible(asker: Asker | Batcher, told: str) -> AsyncGenerator[None]:
    """Let the first Ctrl-C wait for what is under way; the second one leaves it."""
    loop, own = asyncio.get_running_loop(), asyncio.current_task()
    pressed = False

    def interrupted() -> None:
        nonlocal pressed
        if pressed and own is not None:
            own.cancel()
        pressed = True
        asker.stop(BY_HAND)
        say(told)

    signals = (signal.SIGINT, signal.SIGTERM)
    for which in signals:
        loop.add_signal_handler(which, interrupted)
    try:
        yield
    finally:
        for which in signals:
            loop.remove_signal_handler(which)
