"""What a workspace holds of somebody: the same for who wants it gone and who wants it out."""

from collections.abc import Iterator, Sequence, Set
from pathlib import Path

import msgspec

from stepdown.cli.options import Session
from stepdown.cli.sources import all_calls
from stepdown.cli.stores import captured_calls
from stepdown.core.datasets import Dataset, Example
from stepdown.core.labels import MADE_OF, Label
from stepdown.core.people import mark_of, marks_in
from stepdown.core.ports import Line, Progress
from stepdown.core.sources import people_of
from stepdown.core.tasks import Task, TaskIndex, input_text
from stepdown.errors import ArtefactError, LogError
from stepdown.label import load_dataset
from stepdown.logs.rewriting import line_id, spooled_lines
from stepdown.store.ledger import read_requests

__all__ = [
    "BESIDE",
    "Holdings",
    "datasets_of",
    "every_row",
    "holdings",
    "ids_in",
    "made_of",
    "owners_of",
    "plainly",
    "spools",
]

BESIDE = ("gold", "doubts", "hosted")
"""The files of lines beside a task's datasets that are about its rows; all but gold by dataset."""


class Holdings(msgspec.Struct):
    """Whose calls they are (`mark`), their ids wherever they stand, and what was said in them, by
    task. `captured` of them are in the store, `problem` says what could not be looked through."""

    mark: str
    ids: set[str] = msgspec.field(default_factory=set[str])
    said: dict[str, set[str]] = msgspec.field(default_factory=dict[str, set[str]])
    captured: int = 0
    problem: str = ""

    def has_row(self, row: Example) -> bool:
        """Say whether a row of a dataset is theirs."""
        named = row.source, mark_of(row.group) if row.group else ""
        return self.mark in named or row.id in self.ids

    def has_line(self, line: Line) -> bool:
        """Say whether a record of a log is theirs."""
        return self.mark in marks_in(line.data) or not self.ids.isdisjoint(ids_in(line))

    def has_label(self, label: Label, made_of: Set[str] = frozenset()) -> bool:
        """Say whether a paid label is theirs: of their input, or of one that was `made_of` some."""
        return (
            label.source == self.mark or label.item in self.ids or not self.ids.isdisjoint(made_of)
        )


class _Named(msgspec.Struct):
    id: str = ""
    custom_id: str = ""


class _About(msgspec.Struct):
    """A line of a file beside a dataset: whose row it is."""

    id: str = ""
    row: str = ""
    item: str = ""


def holdings(session: Session, mark: str, progress: Progress) -> Holdings:
    """Look through logs, what was captured, and datasets; nothing is changed."""
    found, tasks = Holdings(mark), session.workspace.tasks()
    _look_through_logs(session, tasks, found, progress)
    for line in captured_calls(session).lines():
        if mark in marks_in(line):
            found.captured += 1
            found.ids |= ids_in(Line(line, "", 0))
    for path in spools(session):
        own = (one for one in spooled_lines(path) if mark in marks_in(one.data))
        found.ids.update(*map(ids_in, own))
    for task in tasks:
        for _, dataset in datasets_of(session, task):
            found.ids |= {row.id for row in every_row(dataset) if found.has_row(row)}
    return found


def _look_through_logs(
    session: Session, tasks: Sequence[Task], found: Holdings, progress: Progress
) -> None:
    index = TaskIndex(tasks)
    sources = sorted({source for task in tasks for source in task.sources})
    try:
        for call in all_calls(session, sources, progress, forgotten=False, unanswered=True):
            if found.mark in people_of(call):
                found.ids.add(call.id)
                known = index.recognise(call.request, call.task)
                if known is not None:
                    said = found.said.setdefault(known[0].id, set())
                    said.add(plainly(input_text(known[1])))
    except LogError as problem:
        found.problem = (
            f"Not every log could be read again, so rows of theirs that came from it are known by "
            f"their user or group alone: {problem}"
        )


def spools(session: Session) -> list[Path]:
    """Return the logs that came on standard input."""
    return sorted(session.workspace.spool.glob("stdin-*"))


def datasets_of(session: Session, task: Task) -> Iterator[tuple[Path, Dataset]]:
    """Yield the task's datasets that can be read, oldest first."""
    paths = session.workspace.folder(task.id).glob("dataset-*.jsonl")
    for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns):
        try:
            yield path, load_dataset(path.read_bytes())
        except ArtefactError:
            continue


def every_row(dataset: Dataset) -> tuple[Example, ...]:
    """Return the rows of a dataset, those in quarantine as well."""
    return (*dataset.examples, *(one.row for one in dataset.quarantined))


def owners_of(line: bytes) -> set[str] | None:
    """Return which rows a line beside a dataset is about; None where it can't be read."""
    try:
        row = msgspec.json.decode(line, type=_About)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return {row.id, row.row, row.item} - {""}


def made_of(session: Session, task: Task) -> dict[str, frozenset[str]]:
    """Return the items whose inputs stand as examples in what a teacher was asked, by its item."""
    asked = read_requests(session.workspace.labels, task.id, "again")
    return {
        item: frozenset(map(str, request.metadata.get(MADE_OF, ())))
        for item, request in asked.items()
    }


def ids_in(line: Line) -> set[str]:
    """Return the ids that a record may be known by."""
    try:
        named = msgspec.json.decode(line.data, type=_Named)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return set()
    return {one for one in (named.id, named.custom_id, line_id(line)) if one}


def plainly(text: str) -> str:
    """Return a text on one line, as it is shown."""
    return " ".join(text.split())
