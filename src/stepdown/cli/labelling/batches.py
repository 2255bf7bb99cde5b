"""`stepdown label --batch`: the same labels by an API's batches, at a part of the price."""

from collections.abc import Callable, Sequence

from stepdown.cli.teachers import Teacher
from stepdown.core import display
from stepdown.core.labels import Step
from stepdown.core.ports import Progress
from stepdown.core.tasks import Task
from stepdown.errors import UsageError
from stepdown.label.asking import AskTerms, OutcomeOf, Sitting
from stepdown.label.batching import Batcher, Books
from stepdown.render import DETAIL, say
from stepdown.store.ledger import Ledger

__all__ = ["LEFT_RUNNING", "batcher_of", "check_batches"]

LEFT_RUNNING = "What is in batches goes on at the API without us; the same command collects it."


def check_batches(ledger: Ledger, task: Task, teacher: Teacher, *, wanted: bool) -> None:
    """Tell of the batches that are under way.

    Raises:
        UsageError: there are some, and the command does not want batches: it would ask again what
            is in them.
    """
    names = [batch.name for batch in ledger.batches(task.id, teacher.model, teacher.address)]
    if not names:
        return
    count = display.plural(sum(len(ledger.sent_in(name)) for name in names), "question")
    if not wanted:
        raise UsageError(
            f"A batch of {teacher.model} is under way with {count} of {task.name}, which would be "
            "asked twice; add --batch to collect it."
        )
    say(f"{count} went out in batches before, which are taken up again.")


def batcher_of(
    at: tuple[Task, Teacher, Ledger],
    commit: Callable[[Sequence[Step]], None],
    terms: AskTerms,
    judge: OutcomeOf,
    tell: Callable[[Sitting], None],
    progress: Progress,
) -> Batcher:
    """Return one sitting with the teacher's batches."""
    task, teacher, ledger = at

    def looked(status: str, done: int, total: int) -> None:
        progress(f"batches of {teacher.model}{DETAIL}{status}", done, total)

    books = Books(
        commit, lambda: ledger.batches(task.id, teacher.model, teacher.address), ledger.sent_in
    )
    return Batcher(books, terms, teacher.price, judge, tell, looked)
