"""`stepdown audit --code`: the call sites of a team's code beside the tasks of its log."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from stepdown.audit.prices import unit_prices
from stepdown.cli.revisions import revision_of
from stepdown.core import display
from stepdown.core.joined_sites import join
from stepdown.core.ports import Progress
from stepdown.core.site_changes import site_changes
from stepdown.core.sites import CallSite, CodeReport, SiteChange
from stepdown.core.tasks import Task
from stepdown.render import Cell, say, show, table
from stepdown.scan import Scan, scan_code

__all__ = ["code_report", "read_code", "show_code"]

_SHOWN = 12


class Code(NamedTuple):
    """A folder's call sites, and those it had at an earlier revision, where one was asked for."""

    found: Scan
    before: Sequence[CallSite] | None


def read_code(folder: Path, progress: Progress, revision: str | None = None) -> Code:
    """Scan the code of a folder, and what it was at a revision of git's.

    Raises:
        InputError: there is no such folder, no code in it, or git has no such revision.
    """
    found = scan_code(folder, progress)
    if revision is None:
        return Code(found, None)
    with revision_of(folder, revision) as earlier:
        before = scan_code(earlier, progress).sites if any(earlier.iterdir()) else ()
    return Code(found, before)


def code_report(code: Code, tasks: Sequence[Task]) -> CodeReport:
    """Join a folder's call sites to the tasks, and say what they cost more or less than before."""
    found, before = code
    return msgspec.structs.replace(
        join(found.sites, tasks),
        files=found.files,
        lines=found.lines,
        unread=found.unread,
        notes=found.notes,
        changes=None if before is None else site_changes(before, found.sites, tasks, _price),
    )


def _price(model: str) -> tuple[float, float] | None:
    found = unit_prices(model)
    return found and (found.read, found.written)


def show_code(report: CodeReport, tasks: Sequence[Task]) -> None:
    """Print each task's places in the code, and what was found on one side alone."""
    sites = display.plural(len(report.sites), "call site")
    rows = [[task.name, _places(report.tasks.get(task.id, ()))] for task in tasks[:_SHOWN]]
    show(table(f"Code: {sites} in {display.plural(report.files, 'file')}", ["task", "at"], rows))
    if report.changes is not None:
        _show_changes(report.changes)
    if report.silent:
        say(f"No call of these is in the log: {_listed(report.silent)}.")
    if report.unknown:
        say(f"The words of these come from elsewhere: {_listed(report.unknown)}.")
    if report.unread:
        files = [f"{name} ({why})" for name, why in report.unread.items()]
        say(f"Could not be read: {_listed(files)}.")
    for note in report.notes:
        say(note)


def _show_changes(changes: Sequence[SiteChange]) -> None:
    if not changes:
        say("No call site has changed.")
        return
    rows: list[list[Cell]] = []
    for one in changes:
        rows.append([one.site.place, _what(one), _signed(one.usd_month), one.why])
    show(table("What the change does to the bill", ["at", "change", ">a month", "basis"], rows))
    known = [one.usd_month for one in changes if one.usd_month is not None]
    unknown = display.plural(len(changes) - len(known), "site")
    more = f"; the cost of {unknown} is unknown" if len(changes) > len(known) else ""
    total = sum(known)
    verb = f"saves {display.money(-total)}" if total < 0 else f"adds {_signed(total)}"
    say(f"The change {verb} a month{more}." if known else "What the change costs is unknown.")


def _what(change: SiteChange) -> str:
    before, site = change.before, change.site
    if before is None:
        return f"{change.change}: {site.library} {site.model or ''}".rstrip()
    if before.model != site.model:
        return f"{before.model or 'a model set elsewhere'} → {site.model or 'one set elsewhere'}"
    return "prompt" if before.prompts != site.prompts else "tools or schema"


def _signed(usd: float | None) -> str:
    if usd is None:
        return display.UNKNOWN
    return f"{'-' if usd < 0 else '+'}{display.money(abs(usd))}"


def _places(places: Sequence[str]) -> str:
    return _listed(places, 3) if places else "no call site found"


def _listed(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
