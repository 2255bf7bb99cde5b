"""What an audit says of a log: what was read, and which tasks stand in it, ranked by money."""

import msgspec

from stepdown.core.sites import CodeReport
from stepdown.core.tasks import Task

__all__ = ["AuditReport", "SourceCoverage"]


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


class AuditReport(msgspec.Struct, frozen=True):
    """The result of `stepdown audit`; tasks are ranked by spend, then by volume.

    `unpriced_models` maps each model without a known price to its calls: their cost is unknown, and
    is in no total. `days` is the log's time span, `code` what a scan of the code adds.
    """

    tasks: tuple[Task, ...]
    sources: tuple[SourceCoverage, ...]
    calls: int
    spend_usd: float | None = None
    days: float | None = None
    unpriced_models: dict[str, int] = {}
    prices_as_of: str = ""
    code: CodeReport | None = None
