"""What answering costs: one formula for the ladder's choice, the proof and the savings ledger.

With price t of the teacher, a student that answers the share c of the calls, of which the share a
is audited, makes a call cost t (1 - c + a c) + s: its own cost s is paid on every call, as it sees
them all. Amounts are dollars per 1,000 calls; None is unknown, and so is whatever needs it.
"""

__all__ = ["cascade_usd", "cpu_usd", "own_usd"]


def cpu_usd(seconds: float, usd_hour: float) -> float:
    """Return what so many seconds of a core cost that costs `usd_hour` an hour."""
    return seconds * usd_hour / 3600.0


def own_usd(p50_ms: float | None, usd_hour: float, behind: float | None = 0.0) -> float | None:
    """Return what 1,000 calls cost a student whose call takes `p50_ms` of a core.

    `behind` is what a hosted model behind it costs, spread over all calls.
    """
    if p50_ms is None or behind is None:
        return None
    # As many seconds as one call takes milliseconds.
    return cpu_usd(p50_ms, usd_hour) + behind


def cascade_usd(
    teacher: float | None, own: float | None, coverage: float, audit_share: float
) -> float | None:
    """Return what 1,000 calls cost where the student answers what it is sure of."""
    if teacher is None or own is None:
        return None
    return teacher * (1.0 - coverage + audit_share * coverage) + own
