"""`stepdown label --teacher`: paid answers, estimated before, capped, gone on with after a stop.

What is asked is settled before anything is paid for, and a run that was stopped goes on with the
same items. docs/labelling.md says what is promised.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial

import click
import msgspec

from stepdown.audit.prices import ATTODOLLARS
from stepdown.cli.labelling.choosing import Chooser
from stepdown.cli.labelling.questions import Plan, Wanted, plan_of
from stepdown.cli.labelling.repeats import ALONE
from stepdown.cli.labelling.report import Estimate, Paid, estimate_lines
from stepdown.cli.labelling.rounds import ask_in_rounds
from stepdown.cli.labelling.second_questions import add_seconds, compared
from stepdown.cli.labelling.sitting import BY_HAND, Seat, sit
from stepdown.cli.options import Session
from stepdown.cli.privacy import cleaner, shown
from stepdown.cli.teachers import Teacher, section_of, teacher_of
from stepdown.core.calls import DAY_S, Usage
from stepdown.core.fingerprint import fingerprint
from stepdown.core.labels import LabelRun, Spend
from stepdown.core.tasks import Task, tokens_a_call
from stepdown.errors import ConfigError, Refusal, UsageError
from stepdown.label.asking import AskTerms, Sitting
from stepdown.render import progress_bar, say
from stepdown.store.ledger import Ledger, read_labels

__all__ = ["BY_HAND", "ask_teacher", "refuse_unpriced"]

_BYTES_A_TOKEN = 4
_UNKNOWN_PRICE = (
    "Nobody knows what {model} charges, so {why}; set usd_per_million_input and "
    "usd_per_million_output under {section} in stepdown.toml."
)


def ask_teacher(session: Session, task: Task, wanted: Wanted) -> tuple[Estimate, Paid | None]:
    """Estimate, and ask unless it is a dry run; the second is None where nothing was asked.

    Raises:
        UsageError: nobody can be asked whether to go on, and there is no cap.
        ConfigError: the teacher has no address, its key is not set, or its price is not known.
        Refusal: there is nothing to ask, or the user does not want to.
    """
    teacher = teacher_of(session, wanted.teacher, batch=wanted.batch)
    cap = _cap(teacher, wanted.max_usd)
    ledger = Ledger(session.workspace.labels, cleaner(session))
    try:
        terms = _terms(task, teacher) | wanted.again.terms
        run = ledger.find(task.id, teacher.model, terms)
        if run is None:
            _tell_forked(ledger.last(task.id, teacher.model), terms)
        with progress_bar() as progress:
            chooser = Chooser(session, task, teacher.model, progress)
            plan = _plan(chooser, (task, teacher, terms), ledger, wanted)
        estimate = _estimate(task, teacher, plan, cap, wanted)
        if wanted.dry_run:
            return estimate, None
        _agreed(session, (task, teacher, plan), estimate, wanted)
        run = run or ledger.begin(task.id, teacher.model, terms)
        spends = [ledger.spend(run.id), *_spent_beside(session, task, ledger, wanted)]
        asking = _ask_terms(teacher, wanted, cap, spends, estimate.at_most)
        asking = msgspec.structs.replace(asking, clean=partial(shown, session))
        sitting = _in_rounds(chooser, (teacher, run, ledger), plan, asking, wanted)
        paid = Paid(task.name, teacher.model, run.id, ledger.done(run.id, "answered"), sitting)
        paid = msgspec.structs.replace(
            paid, spend=ledger.spend(run.id), held=plan.held, gone=plan.gone, fewer=plan.fewer
        )
        answers = ledger.done(run.id)
    finally:
        ledger.close()
    both = compared(task, read_labels(session.workspace.labels, task.id), teacher.model)
    left = len(plan.asked) - sitting.outcomes.total()
    return estimate, msgspec.structs.replace(paid, twice=both, left=left, answers=answers)


def _agreed(
    session: Session, at: tuple[Task, Teacher, Plan], estimate: Estimate, wanted: Wanted
) -> None:
    """Go on only where there is something to ask or to read, and the user wants to pay for it."""
    task, teacher, plan = at
    if plan.asked:
        _confirm(session, task, teacher, estimate, wanted)
    elif not plan.had and not plan.held and not plan.raw:
        raise Refusal(
            f"{teacher.model} has answered all calls of {task.name} in the log; -n asks for as "
            "many of them again, and `stepdown serve` collects new ones."
        )


def _in_rounds(
    chooser: Chooser,
    at: tuple[Teacher, LabelRun, Ledger],
    plan: Plan,
    asking: AskTerms,
    wanted: Wanted,
) -> Sitting:
    """Ask what was announced, and choose anew between rounds; what is in batches is one round."""
    teacher, run, ledger = at
    task = chooser.task
    with progress_bar() as chooser.progress:
        seat = Seat(
            chooser.session.engine, task, teacher, run, ledger, chooser.progress, wanted.batch
        )
        return ask_in_rounds(
            plan,
            asking,
            chooser.round if not wanted.batch else lambda: len(plan.asked),
            lambda: _plan(chooser, (task, teacher, dict(run.terms)), ledger, wanted, plan.target),
            partial(sit, seat),
        )


def _plan(
    chooser: Chooser,
    at: tuple[Task, Teacher, dict[str, str]],
    ledger: Ledger,
    wanted: Wanted,
    target: int = 0,
) -> Plan:
    """Return what there is to ask now, in the log's words and in ours."""
    task, teacher, terms = at
    run = ledger.find(task.id, teacher.model, terms)
    plan = plan_of(chooser, (task, teacher, run), ledger, wanted, target)
    # What is asked again is asked in the same words: in others it would be another question.
    share = chooser.session.config.defaults.second_questions if wanted.again == ALONE else 0.0
    add_seconds(at, ledger, plan, share, wanted.hold)
    return plan


def _cap(teacher: Teacher, max_usd: float | None) -> int | None:
    if max_usd is None:
        return None
    if teacher.price(Usage(1, 1), time.time()) is None:
        why = "--max-usd can't be kept"
        raise ConfigError(_unpriced(teacher, why))
    return int(Decimal(str(max_usd)) * ATTODOLLARS)


def _unpriced(teacher: Teacher, why: str) -> str:
    return _UNKNOWN_PRICE.format(model=teacher.model, why=why, section=teacher.section)


def refuse_unpriced(session: Session, wanted: Wanted, others: Iterable[str]) -> None:
    """Refuse a cap that can't be kept for one of the teachers, before any of them is paid.

    Raises:
        ConfigError: one has no address, its key is not set, or its price is not known.
    """
    if wanted.max_usd is None:
        return
    _cap(teacher_of(session, wanted.teacher, batch=wanted.batch), wanted.max_usd)
    for name in others:
        # [teacher] is the first one's: what another charges is said in a section of its own.
        other = teacher_of(session, name, batch=wanted.batch)
        _cap(msgspec.structs.replace(other, section=section_of(name)), wanted.max_usd)


def _terms(task: Task, teacher: Teacher) -> dict[str, str]:
    """Return what an answer depends on: where one of these differs, so does the run."""
    closed = {field.path: sorted(map(repr, field.values)) for field in task.anatomy.fields}
    return {
        "address": teacher.address,
        "limit of tokens": str(teacher.terms.max_tokens),
        "prompt": fingerprint(task.signature),
        "set of labels": fingerprint([task.anatomy.shape, closed]),
    }


def _tell_forked(before: LabelRun | None, terms: Mapping[str, str]) -> None:
    known: Mapping[str, str] = {} if before is None else before.terms
    other = " and ".join(name for name in terms if name in known and known[name] != terms[name])
    if other:
        say(f"The {other} is not what it was before: this is a new run, not mixed with that one.")


def _estimate(
    task: Task, teacher: Teacher, plan: Plan, cap: int | None, wanted: Wanted
) -> Estimate:
    now = time.time()
    sizes = [teacher.body(request) for one, request in plan.asked if not one.batch]
    bounds = [teacher.price(most, now) for _, most in sizes]
    most = None if None in bounds else sum(bound or 0 for bound in bounds)
    if cap is not None and most is not None:
        most = min(cap, most)
    each = tokens_a_call(task)
    read = sum(len(body) for body, _ in sizes) // _BYTES_A_TOKEN
    if each and each[0]:
        read = round(len(sizes) * each[0])
    written = None if each is None else round(len(sizes) * each[1])
    expected = teacher.price(Usage(read, written), now) if written is not None else None
    if expected is not None and most is not None:
        expected = min(expected, most)
    took = task.latency_p50_ms
    seconds = None if took is None else len(sizes) * took / 1000.0 / wanted.concurrency
    seconds = DAY_S if wanted.batch else seconds
    told = Estimate(plan.had, len(sizes), plan.again, read, written, expected, most, seconds)
    told = msgspec.structs.replace(told, random=plan.random, need=plan.need)
    return msgspec.structs.replace(told, second=plan.second, suspicious=plan.suspicious)


def _confirm(
    session: Session, task: Task, teacher: Teacher, estimate: Estimate, wanted: Wanted
) -> None:
    for line in estimate_lines(task.name, teacher.model, estimate):
        say(line)
    if session.yes:
        return
    if sys.stdin.isatty():
        if not click.confirm("Go on?", err=True):
            raise Refusal("Nothing was asked and nothing was spent.")
    elif wanted.max_usd is None:
        raise UsageError(
            "Answers are paid for, and nobody is there to be asked; add --max-usd X or --yes."
        )


def _spent_beside(session: Session, task: Task, ledger: Ledger, wanted: Wanted) -> Iterator[Spend]:
    """Yield what the other runs of the command have spent: one cap holds for all of them."""
    for name, again in wanted.others:
        teacher = teacher_of(session, name)
        run = ledger.find(task.id, teacher.model, _terms(task, teacher) | again.terms)
        if run is not None:
            yield ledger.spend(run.id)


def _ask_terms(
    teacher: Teacher,
    wanted: Wanted,
    cap: int | None,
    spends: Sequence[Spend],
    at_most: int | None,
) -> AskTerms:
    known = [spend.at_most for spend in spends if spend.at_most is not None]
    if cap is not None and len(known) < len(spends):
        why = "what this run has spent before can't be held against --max-usd"
        raise Refusal(_unpriced(teacher, why))
    if cap is None and at_most is not None and len(known) == len(spends):
        # What is chosen between rounds was not there to be priced: what was said holds for it.
        cap = sum(known) + at_most
    own = teacher.terms
    return AskTerms(
        wanted.concurrency,
        cap,
        sum(known),
        (own.requests_per_minute, own.tokens_per_minute),
        own.answer_seconds,
        wanted.hold,
    )
