"""What an audit says of a log: what was read, and which tasks stand in it, ranked by money."""

from typing import Literal

import msgspec

from stepdown.core.sites import CodeReport
from stepdown.core.tasks import Task

__all__ = ["AuditReport", "Comparison", "SourceCoverage", "TaskChange"]


class SourceCoverage(msgspec.Struct):
    """What one source gave: every line is a call, a duplicate, or rejected for a counted reason.

    In a format that joins two lines into one call (OpenAI batch) the first of them counts under
    `joined`: lines = calls + duplicates + joined + sum of rejected. `notes` are sentences on how it
    was read. Formats that join files have one coverage for all their files.
    """

    source: str
    format: str = ""
    lines: int = 0
    calls: int = 0
    duplicates: int = 0
    joined: int = 0
    rejected: dict[str, int] = {}
    notes: list[str] = []


class TaskChange(msgspec.Struct, frozen=True):
    """One task in both audits: calls a day and US dollars a month, before and now.

    None is unknown, and in an audit where the task does not stand. `share_free` is the share of
    calls that no small model can answer whole.
    """

    task: str
    name: str
    change: Literal["new", "gone", "kept"]
    calls_day: tuple[float | None, float | None]
    usd_month: tuple[float | None, float | None]
    share_free: tuple[float | None, float | None]
    verdict: tuple[str, str]


class Comparison(msgspec.Struct, frozen=True):
    """All tasks of two audits, the largest change of the monthly bill first."""

    tasks: tuple[TaskChange, ...]
    usd_month: tuple[float | None, float | None]


class AuditReport(msgspec.Struct, frozen=True):
    """The result of `stepdown audit`; tasks are ranked by spend, then by volume.

    `unpriced_models` maps each model without a known price to its calls, `uncounted_models` those
    of a known price to calls without token counts: their cost is unknown, and is in no total.
    `days` is the log's time span, `code` what a scan of the code adds,
    `since` what changed since an earlier audit.
    """

    tasks: tuple[Task, ...]
    sources: tuple[SourceCoverage, ...]
    calls: int
    spend_usd: float | None = None
    days: float | None = None
    unpriced_models: dict[str, int] = {}
    uncounted_models: dict[str, int] = {}
    prices_as_of: str = ""
    code: CodeReport | None = None
    since: Comparison | None = None
