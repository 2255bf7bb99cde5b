"""`stepdown audit --code`: the call sites of a team's code beside the tasks of its log."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from stepdown.core import display
from stepdown.core.joined_sites import join
from stepdown.core.ports import Progress
from stepdown.core.sites import CodeReport
from stepdown.core.tasks import Task
from stepdown.render import say, show, table
from stepdown.scan import scan_code

__all__ = ["code_report", "show_code"]

_SHOWN = 12


def code_report(folder: Path, tasks: Sequence[Task], progress: Progress) -> CodeReport:
    """Scan the code of a folder and join it to the tasks.

    Raises:
        InputError: there is no such folder, or no code in it.
    """
    found = scan_code(folder, progress)
    return msgspec.structs.replace(
        join(found.sites, tasks),
        files=found.files,
        lines=found.lines,
        unread=found.unread,
        notes=found.notes,
    )


def show_code(report: CodeReport, tasks: Sequence[Task]) -> None:
    """Print each task's places in the code, and what was found on one side alone."""
    sites = display.plural(len(report.sites), "call site")
    rows = [[task.name, _places(report.tasks.get(task.id, ()))] for task in tasks[:_SHOWN]]
    show(table(f"Code: {sites} in {display.plural(report.files, 'file')}", ["task", "at"], rows))
    if report.silent:
        say(f"No call of these is in the log: {_listed(report.silent)}.")
    if report.unknown:
        say(f"The words of these come from elsewhere: {_listed(report.unknown)}.")
    if report.unread:
        files = [f"{name} ({why})" for name, why in report.unread.items()]
        say(f"Could not be read: {_listed(files)}.")
    for note in report.notes:
        say(note)


def _places(places: Sequence[str]) -> str:
    return _listed(places, 3) if places else "no call site found"


def _listed(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
