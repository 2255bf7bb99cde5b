"""What `stepdown label --teacher` asks: the pool, read once, and who learns between rounds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from stepdown import plugins
from stepdown.cli import steps
from stepdown.cli.options import Session
from stepdown.cli.sources import calls_of
from stepdown.core.calls import Call, Request
from stepdown.core.datasets import Dataset, Example
from stepdown.core.labels import Label
from stepdown.core.ports import Progress
from stepdown.core.tasks import Input, Task
from stepdown.errors import NotEnoughData, Refusal, Unavailable
from stepdown.label.choose import Choice, Guess, Scorer, choose, round_size
from stepdown.label.need import Need, need_of
from stepdown.label.outcomes import Widening
from stepdown.label.pool import Pool, pool_of

__all__ = ["Chooser"]

_FAMILY = "linear"


class Chooser:
    """The pool of one labelling, read at the first question and kept for the rounds after it.

    `requests` has those of the calls that a run has begun with; `progress` hears of long work.
    """

    def __init__(self, session: Session, task: Task, model: str, progress: Progress) -> None:
        self.session = session
        self._task = task
        self._model = model
        self.progress = progress
        self._pool: Pool | None = None
        self._before = 0
        self._labels = Widening(task)
        self._all = False  # all there is was chosen: nothing is left to learn for
        self._found = False
        self.requests: dict[str, Request] = {}

    def read(self, asked: Mapping[str, Label | None], begun: AbstractSet[str]) -> None:
        """Take in what was asked so far, with its labels; the log is read the first time.

        Raises:
            NotEnoughData: the log has no call of the task any more.
        """
        if self._pool is None:
            calls = self._noted(self.calls(), begun)
            self._pool = pool_of(self._task, calls, self._model, asked)
            gone = None if self._found or asked or begun else steps.outdated(self._task, 0)
            if gone is not None:
                raise gone
            self._before = sum(one.asked for one in self._pool.apart)
        self._pool = self._pool.told(asked)

    @property
    def pool(self) -> Pool:
        """What there is to ask; `read` comes first."""
        assert self._pool is not None
        return self._pool

    def need(self) -> Need:
        """Return what a certificate within the task's budget takes, and what of it is there."""
        task, session = self._task, self.session
        delta = steps.proof_terms(session, task, 1).delta
        budget = session.terms(task.name).error_budget
        return need_of(self.pool, self._dataset(), budget, delta, self._before)

    def choose(self, count: int, *, again: bool) -> Choice:
        """Return what to ask next, `count` questions of it."""
        found = choose(self._task, self.pool, count, self.need(), self._taught, again=again)
        fresh = sum(not one.asked for one in self.pool.open)
        self._all = len(found.picks) - found.random - found.again >= fresh
        return found

    def round(self) -> int:
        """Return how many chosen questions are asked before their answers are learnt from."""
        if self._all:
            return len(self.pool.open)
        return round_size(len(self.pool.lessons(self._task))) if self._pool else 0

    def calls(self) -> Iterator[Call]:
        """Yield the task's calls, and take in which labels they have."""
        for call in calls_of(self.session, self._task, self.progress, unanswered=True):
            self._found = True
            self._labels.add(call)
            yield call

    @property
    def task(self) -> Task:
        """The task with the labels of all calls that were read, as datasets have them."""
        return self._labels.task

    def _noted(self, calls: Iterable[Call], begun: AbstractSet[str]) -> Iterator[Call]:
        for call in calls:
            if call.id in begun:
                self.requests[call.id] = call.request
            yield call

    def _dataset(self) -> Dataset | None:
        try:
            return steps.current_dataset(self.session.workspace, self._task)
        except Refusal:
            return None

    def _taught(self, rows: Sequence[Example]) -> Scorer | None:
        """Return what a student of the rows guesses.

        It is not the task's own student: that one has perhaps seen rows that are kept apart.
        """
        try:
            student = plugins.family(_FAMILY).train(self._task, rows, self.progress)
        except (NotEnoughData, Unavailable):
            return None
        path = "/tool" if self._task.anatomy.shape == "tool" else ""

        def guessed(given: Input) -> Guess:
            found = student.predict(given)
            value = found.record.get(path)
            label = "" if value is None else str(value)
            return Guess(label, 0.0 if found.answer is None else found.confidence)

        return lambda inputs: [guessed(given) for given in inputs]
