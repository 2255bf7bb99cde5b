"""What there is to ask a teacher: what a run has begun, then as many more calls as are wanted."""

from collections.abc import Iterator, Sequence

import msgspec

from stepdown.cli.labelling.batches import check_batches
from stepdown.cli.labelling.choosing import Chooser
from stepdown.cli.labelling.repeats import ALONE, Again, again_picks
from stepdown.cli.synthesis import WRITING
from stepdown.cli.teachers import Teacher
from stepdown.core.calls import Request
from stepdown.core.labels import Kept, Label, LabelRun, Pick, Reserved
from stepdown.core.tasks import Task, input_text, texts
from stepdown.label.asking import Question
from stepdown.label.choose import FIRST_ROUND
from stepdown.label.need import Need
from stepdown.store.ledger import Ledger, read_labels
from stepdown.wire.second_template import input_in

__all__ = ["Plan", "Wanted", "key_of", "plan_of", "question_of", "text_of"]


class Wanted(msgspec.Struct, frozen=True):
    """What the command was asked for; `others` are the runs that share its cap."""

    teacher: str
    count: int | None = None
    max_usd: float | None = None
    concurrency: int = 8
    hold: bool = False
    dry_run: bool = False
    batch: bool = False
    again: Again = ALONE
    others: tuple[tuple[str, Again], ...] = ()


class Plan(msgspec.Struct):
    """What a sitting asks, each with its request; `had` answers are there already.

    `raw` are answers that are stored and not yet read. `held` questions have an outcome that nobody
    knows, `gone` are no longer in the log as they were asked, `again` were answered by the teacher
    in the log, and `second` ones are asked again in our words, of which `suspicious` are since the
    input looks like an attack; `random` ones are drawn to certify with, and `need` says what that
    takes. `fewer` says that there was less to ask than was wanted, `later` how many questions
    follow when these are answered; `target` is how many answers there are to be in all.
    """

    had: int
    asked: list[tuple[Kept, Request]] = []
    raw: list[tuple[Kept, Request]] = []
    again: int = 0
    second: int = 0
    suspicious: int = 0
    held: int = 0
    gone: int = 0
    fewer: bool = False
    random: int = 0
    need: Need | None = None
    later: int = 0
    target: int = 0


def plan_of(
    chooser: Chooser,
    at: tuple[Task, Teacher, LabelRun | None],
    ledger: Ledger,
    wanted: Wanted,
    target: int = 0,
) -> Plan:
    """Return what there is to ask until there are `target` answers; nothing is written.

    Where none is given it is what is wanted, or what was begun, or what a certificate lacks.

    Raises:
        UsageError: a batch that is under way is not wanted.
    """
    task, teacher, run = at
    check_batches(ledger, task, teacher, wanted=wanted.batch)
    kept = list(ledger.kept(run.id)) if run else []
    if wanted.again != ALONE:
        return _again(chooser, (task, teacher), ledger, kept, wanted)
    plan = Plan(ledger.done(run.id) if run else 0)
    waiting = [one for one in kept if one.raw is None]
    begun = [one for one in waiting if not (wanted.hold and one.unknown)]
    plan.held = len(waiting) - len(begun)
    _tell(chooser, at, ledger, kept)
    plan.need = chooser.need()
    plan.target = target or wanted.count or plan.had + (len(waiting) or _usual(plan))
    begun = begun[: max(0, plan.target - plan.had)]
    more = max(0, plan.target - plan.had - len(begun) - plan.held)
    picks = chooser.choose(more, again=wanted.count is not None).picks if more else ()
    _go_on(plan, chooser, teacher, kept, {one.reserved.key for one in begun})
    fresh = list(_fresh(teacher, picks, ledger, run))
    _begin(plan, fresh, wanted.hold)
    plan.fewer = len(fresh) < more
    return plan


def _go_on(
    plan: Plan, chooser: Chooser, teacher: Teacher, kept: Sequence[Kept], chosen: set[str]
) -> None:
    """Add what the run has begun to the plan: of the unanswered questions those chosen."""
    for one in kept:
        request = one.reserved.request or chooser.requests.get(one.reserved.item)
        if request is None or key_of(teacher, request, one.reserved.repeat) != one.reserved.key:
            plan.gone += 1
        elif one.raw is not None:
            plan.raw.append((one, request))
        elif one.reserved.key in chosen:
            plan.asked.append((one, request))


def _begin(plan: Plan, fresh: Sequence[tuple[Kept, Request]], hold: bool) -> None:
    """Add what is new to the run, of which other runs may have had answers."""
    for one, request in fresh:
        if one.answered:
            plan.raw.append((one, request))
        elif hold and one.unknown:
            plan.held += 1
        else:
            plan.asked.append((one, request))
            plan.again += one.reserved.why == "again"
    plan.random = sum(one.reserved.why == "random" for one, _ in plan.asked)


def _tell(
    chooser: Chooser,
    at: tuple[Task, Teacher, LabelRun | None],
    ledger: Ledger,
    kept: Sequence[Kept],
) -> None:
    """Tell the chooser what the run has asked, and what this teacher said."""
    task, teacher, run = at
    begun = {one.reserved.item for one in kept}
    asked: dict[str, Label | None] = dict.fromkeys(begun | (ledger.items(run.id) if run else begun))
    labels = read_labels(ledger.path, task.id)
    told = (one for one in labels if one.teacher == teacher.model and not one.repeat)
    chooser.read(asked | {one.item: one for one in told if one.item in asked}, begun)


def _usual(plan: Plan) -> int:
    """Return how many answers are asked for where nothing is said: what a certificate lacks."""
    lacking = plan.need.count if plan.need else 0
    return lacking if lacking or plan.had else FIRST_ROUND


def _again(
    chooser: Chooser,
    at: tuple[Task, Teacher],
    ledger: Ledger,
    kept: Sequence[Kept],
    wanted: Wanted,
) -> Plan:
    """Return what is to be asked again; what any run has an answer to is there."""
    task, teacher = at
    unread = {one.reserved.key for one in kept if one.raw is not None}
    items = ledger.items(wanted.again.run)
    of = task, teacher.model
    picks = again_picks(chooser.session, of, wanted.again, items, chooser.calls())
    plan = Plan(0)
    for pick in picks:
        _, before = ledger.found(_reserved(teacher, pick))
        if before.reserved.key in unread:
            plan.raw.append((before, pick.request))
        elif before.answered:
            plan.had += 1
        elif wanted.hold and before.unknown:
            plan.held += 1
        else:
            plan.asked.append((before, pick.request))
    return plan


def key_of(teacher: Teacher, request: Request, repeat: int) -> str:
    """Return the key of a question to the teacher."""
    return teacher.question(teacher.body(request)[0], repeat)


def _reserved(teacher: Teacher, pick: Pick) -> Reserved:
    """Return a pick as it is reserved, with its request where no log has it."""
    made = pick.why == "synthetic" or pick.item.startswith(WRITING)
    told = (pick.item, pick.why, pick.probability, pick.source, pick.repeat)
    key = key_of(teacher, pick.request, pick.repeat)
    return Reserved(key, *told, pick.request if made else None)


def _fresh(
    teacher: Teacher, picks: Sequence[Pick], ledger: Ledger, run: LabelRun | None
) -> Iterator[tuple[Kept, Request]]:
    """Yield the picks as they are reserved, each question once; another run's answers are taken."""
    seen: set[str] = set()
    for pick in picks:
        owner, before = ledger.found(_reserved(teacher, pick))
        if before.reserved.key in seen or (run and owner == run.id):
            continue
        seen.add(before.reserved.key)
        yield before, pick.request


def question_of(task: Task, teacher: Teacher, one: Kept, request: Request) -> Question:
    """Return the question as it is sent."""
    body, most = teacher.body(request)
    return Question(one.reserved.key, body, most, text_of(task, request), one.sends)


def text_of(task: Task, request: Request) -> str:
    """Return the task's input in a request, be it in the log's words or in ours."""
    return input_text(task.signature.match(*texts(request)) or input_in(request) or ())
