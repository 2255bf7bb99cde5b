"""What there is to ask a teacher: what a run has begun, then as many more calls as are wanted."""

import heapq
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from stepdown.cli import steps
from stepdown.cli.again import ALONE, Again, again_picks
from stepdown.cli.batches import check_batches
from stepdown.cli.options import Session
from stepdown.cli.teachers import Teacher
from stepdown.core.calls import TEACHERS, Call, Request
from stepdown.core.labels import Kept, LabelRun, Pick, Reserved
from stepdown.core.ports import Progress
from stepdown.core.tasks import Task, TaskIndex, input_text, texts
from stepdown.label.asking import Question
from stepdown.label.split import uniform
from stepdown.store.ledger import Ledger
from stepdown.wire.second_template import input_in

__all__ = ["Plan", "Wanted", "key_of", "plan_of", "question_of", "text_of"]

_USUAL = 500
"""How many answers are asked for where nothing is said."""


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
    input looks like an attack. `fewer` says that there was less to ask than was wanted.
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


def plan_of(
    session: Session,
    at: tuple[Task, Teacher, LabelRun | None],
    ledger: Ledger,
    wanted: Wanted,
    progress: Progress,
) -> Plan:
    """Return what there is to ask; nothing is written.

    Raises:
        UsageError: a batch that is under way is not wanted.
    """
    task, teacher, run = at
    check_batches(ledger, task, teacher, wanted=wanted.batch)
    kept = list(ledger.kept(run.id)) if run else []
    if wanted.again != ALONE:
        picks = again_picks(session, task, teacher.model, wanted.again, progress)
        return _planned(teacher, ledger, kept, picks, hold=wanted.hold)
    plan = Plan(ledger.done(run.id) if run else 0)
    waiting = [one for one in kept if one.raw is None]
    begun = [one for one in waiting if not (wanted.hold and one.unknown)]
    plan.held = len(waiting) - len(begun)
    target = wanted.count or max(_USUAL, plan.had + len(waiting))
    begun = begun[: max(0, target - plan.had)]
    more = max(0, target - plan.had - len(begun) - plan.held)
    known = ledger.items(run.id) if run else set[str]()
    needed = {one.reserved.item for one in kept}
    pool = _Pool(task, teacher.model, needed, known, again=wanted.count is not None)
    picks = pool.draw(session, more, progress)
    chosen = {one.reserved.key for one in begun}
    for one in kept:
        request = one.reserved.request or pool.requests.get(one.reserved.item)
        if request is None or key_of(teacher, request, one.reserved.repeat) != one.reserved.key:
            plan.gone += 1
        elif one.raw is not None:
            plan.raw.append((one, request))
        elif one.reserved.key in chosen:
            plan.asked.append((one, request))
    fresh = list(_fresh(teacher, picks, ledger, run))
    plan.raw += [one for one in fresh if one[0].raw is not None]
    plan.asked += [one for one in fresh if one[0].raw is None]
    plan.again = sum(one.reserved.why == "again" for one, _ in fresh if one.raw is None)
    plan.fewer = len(fresh) < more
    return plan


def _planned(
    teacher: Teacher, ledger: Ledger, kept: Sequence[Kept], picks: Sequence[Pick], *, hold: bool
) -> Plan:
    """Return what of these picks there is to ask; what any run has an answer to is there."""
    unread = {one.reserved.key: one for one in kept if one.raw is not None}
    plan = Plan(0)
    for pick in picks:
        key = key_of(teacher, pick.request, pick.repeat)
        told = (pick.item, pick.why, pick.probability, pick.source, pick.repeat)
        before = (ledger.found(key) or ("", Kept(Reserved(key, *told))))[1]
        if key in unread:
            plan.raw.append((before, pick.request))
        elif before.raw is not None:
            plan.had += 1
        elif hold and before.unknown:
            plan.held += 1
        else:
            plan.asked.append((before, pick.request))
    return plan


def key_of(teacher: Teacher, request: Request, repeat: int) -> str:
    """Return the key of a question to the teacher."""
    return teacher.question(teacher.body(request)[0], repeat)


def _fresh(
    teacher: Teacher, picks: Sequence[Pick], ledger: Ledger, run: LabelRun | None
) -> Iterator[tuple[Kept, Request]]:
    """Yield the picks as they are reserved, each question once; another run's answers are taken."""
    seen: set[str] = set()
    for pick in picks:
        key = key_of(teacher, pick.request, pick.repeat)
        owner, before = ledger.found(key) or ("", Kept(Reserved(key, pick.item, pick.why)))
        if key in seen or (run and owner == run.id):
            continue
        seen.add(key)
        kept = pick.request if pick.why == "synthetic" else None
        told = (pick.item, pick.why, pick.probability, pick.source, pick.repeat)
        reserved = Reserved(key, *told, kept)
        yield msgspec.structs.replace(before, reserved=reserved), pick.request


def question_of(task: Task, teacher: Teacher, one: Kept, request: Request) -> Question:
    """Return the question as it is sent."""
    body, most = teacher.body(request)
    return Question(one.reserved.key, body, most, text_of(task, request), one.sends)


def text_of(task: Task, request: Request) -> str:
    """Return the task's input in a request, be it in the log's words or in ours."""
    return input_text(task.signature.match(*texts(request)) or input_in(request) or ())


class _Pool:
    """The task's logged calls, in the order in which they are asked.

    First those that no teacher answered, then other models' calls, and `again` those that this
    teacher has answered; among each the order is random, and the same every time.
    """

    def __init__(
        self,
        task: Task,
        model: str,
        needed: AbstractSet[str],
        known: AbstractSet[str],
        *,
        again: bool,
    ) -> None:
        self._task = task
        self._model = model
        self._needed = needed
        self._known = known
        self._again = again
        self._sizes: Counter[int] = Counter()
        self.requests: dict[str, Request] = {}
        """Those of the calls that were needed."""

    def draw(self, session: Session, count: int, progress: Progress) -> list[Pick]:
        """Return `count` calls to ask, fewer where there are not so many."""
        if not count and not self._needed:
            return []
        found = self._candidates(session, progress)
        first = heapq.nsmallest(count, found, key=lambda one: one[:3]) if count else []
        deque(found, maxlen=0)
        drawn = Counter(rank for rank, *_ in first)
        share: Mapping[int, float] = {
            rank: number / self._sizes[rank] for rank, number in drawn.items()
        }
        return [
            Pick(item, request, "again" if rank == 2 else "random", share[rank])
            for rank, _, item, request in first
        ]

    def _candidates(
        self, session: Session, progress: Progress
    ) -> Iterator[tuple[int, float, str, Request]]:
        index = TaskIndex(session.workspace.tasks())
        for call in steps.all_calls(session, self._task.sources, progress):
            found = index.recognise(call.request, call.task)
            if found is None or found[0].id != self._task.id:
                continue
            if call.id in self._needed:
                self.requests[call.id] = call.request
            rank = self._rank(call)
            if call.id not in self._known and (rank < 2 or self._again):
                self._sizes[rank] += 1
                yield rank, uniform(f"ask {call.id}"), call.id, call.request

    def _rank(self, call: Call) -> int:
        if call.tier not in TEACHERS:
            return 0
        return 2 if self._model in (call.model, call.request.model) else 1
