"""The teacher's ceiling on the command line: what it rules out is refused before it costs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stepdown.cli.options import Session
from stepdown.cli.teachers import teacher_of
from stepdown.core.calls import TEACHERS, Call
from stepdown.core.ceilings import ceiling_of, standing, too_tight
from stepdown.core.digests import summary_of
from stepdown.core.labels import SECOND, Label
from stepdown.core.proofs import Ceiling
from stepdown.core.tasks import Task, input_text
from stepdown.errors import Refusal
from stepdown.label.outcomes import judge_of
from stepdown.label.sample import input_of
from stepdown.workspace.ceilings import read_ceiling

__all__ = ["asked_ceiling", "refuse_too_tight"]


def refuse_too_tight(session: Session, task: Task, teacher: str = "") -> None:
    """Refuse a budget that is tighter than the teacher agrees with itself.

    Nothing goes around this but a larger budget. What is known of other models says nothing of the
    `teacher` that is going to be paid.

    Raises:
        ConfigError: nothing says where that teacher is.
        Refusal: it is, by answers asked again or by inputs that stand in the log twice.
    """
    asked = read_ceiling(session.workspace.folder(task.id) / "ceiling.json")
    model = teacher_of(session, teacher).model if teacher else ""
    if model and (asked is None or asked.teacher != model):
        asked = None
        if set(task.models) != {model}:
            return
    if reason := too_tight(standing(asked, task), session.terms(task.name).error_budget):
        raise Refusal(reason)


def asked_ceiling(
    task: Task, calls: Iterable[Call], labels: Mapping[str, Sequence[Label]], made_at: str
) -> Ceiling | None:
    """Return how often the teacher that was asked most often again agrees with itself.

    The log's answer counts where it is that teacher's. Items that were chosen are hard, or odd:
    they say nothing of the others. None where nothing was asked again, or answers are summaries,
    of which no two are the same.
    """
    fair = {
        item: several
        for item, several in labels.items()
        if all(one.why in ("random", "again") for one in several)
    }
    if not fair or summary_of(task.anatomy) is not None:
        return None
    judge = judge_of(task)
    answers: dict[str, list[list[Mapping[str, Any] | None]]] = {}
    for call in calls:
        several = fair.pop(call.id, ())
        given = input_of(task, call.request) if several else None
        if given is None:
            continue
        for teacher in {one.teacher for one in several}:
            said = [
                one.answer for one in several if one.teacher == teacher and one.repeat != SECOND
            ]
            if call.tier in TEACHERS and teacher in (call.model, call.request.model):
                said.append(call.answer)
            worths = [judge(input_text(given), answer) for answer in said]
            records: list[Mapping[str, Any] | None] = [
                one.record if one.outcome == "answered" else None for one in worths
            ]
            answers.setdefault(teacher, []).append(records)
    made = [ceiling_of(items, teacher, made_at) for teacher, items in sorted(answers.items())]
    return max((one for one in made if one is not None), key=lambda c: c.items, default=None)
