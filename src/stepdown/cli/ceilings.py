"""The teacher's ceiling on the command line: what it rules out is refused before it costs."""

from stepdown.cli.options import Session
from stepdown.core.ceilings import logged_ceiling, too_tight
from stepdown.core.tasks import Task
from stepdown.errors import Refusal
from stepdown.workspace.ceilings import read_ceiling

__all__ = ["refuse_too_tight"]


def refuse_too_tight(session: Session, task: Task) -> None:
    """Refuse a budget that is tighter than the teacher agrees with itself.

    Nothing goes around this but a larger budget.

    Raises:
        Refusal: it is, by answers asked again or by inputs that stand in the log twice.
    """
    budget = session.terms(task.name).error_budget
    asked = read_ceiling(session.workspace.folder(task.id) / "ceiling.json")
    if reason := too_tight(asked, budget) or too_tight(logged_ceiling(task), budget):
        raise Refusal(reason)
