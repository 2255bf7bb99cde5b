"""`stepdown audit --since`: an audit beside an earlier one."""

from pathlib import Path

import msgspec

from stepdown.core import display
from stepdown.core.audits import AuditReport, Comparison, TaskChange
from stepdown.errors import InputError
from stepdown.render import Cell, show, table

__all__ = ["earlier_audit", "show_comparison"]

_SHOWN = 20


def earlier_audit(path: Path) -> AuditReport:
    """Read what `stepdown audit --json` printed.

    Raises:
        InputError: it can't be read, or is no audit.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=AuditReport)
    except OSError as problem:
        raise InputError(f"{path} can't be read ({problem.strerror}); check the path.") from problem
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise InputError(
            f"{path} is no audit ({problem}); give what `stepdown audit LOG --json` printed."
        ) from problem


def show_comparison(found: Comparison) -> None:
    """Print what changed, the largest change of the bill first."""
    old, new = found.usd_month
    title = f"Since the earlier audit: {display.money(old)} a month, now {display.money(new)}"
    columns = ["task", "", ">calls a day", ">now", ">a month", ">now", "verdict"]
    show(table(title, columns, [_row(change) for change in found.tasks[:_SHOWN]]))


def _row(change: TaskChange) -> list[Cell]:
    before, after = change.verdict
    verdict = after or before
    if before and after and before != after:
        verdict = f"{before} → {after}"
    return [
        change.name,
        "" if change.change == "kept" else change.change,
        *(("" if calls is None else f"{calls:,.1f}") for calls in change.calls_day),
        *(("" if usd is None else display.money(usd)) for usd in change.usd_month),
        verdict,
    ]
