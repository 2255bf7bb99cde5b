"""How many training rows one user may have: what nobody's flood of calls gets around.

docs/decisions/0019-sources.md says when a cap can hold, and why users alone have one.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from stepdown.core.datasets import Example
from stepdown.core.fingerprint import uniform
from stepdown.core.sources import USER

__all__ = ["SHARE", "Capped", "capped"]

SHARE = 0.005
"""The share of the training rows that one user may have."""


class Capped(msgspec.Struct, frozen=True):
    """The rows that are kept, how many were left out, and a sentence on it ("" without sources)."""

    rows: list[Example]
    dropped: int = 0
    note: str = ""


def capped(rows: Sequence[Example], share: float = SHARE) -> Capped:
    """Keep of each user's rows as many as leave nobody more than `share` of what is kept.

    Which ones depends on their ids alone. It takes at least 1 / `share` users: of fewer, one always
    has more than that, and no row is left out. Rows whose user is not named count as rows of nobody
    in particular.
    """
    users = Counter(row.source for row in rows if row.source.startswith(USER))
    if not users:
        return Capped(list(rows))
    most = _most(sorted(users.values()), share)
    if most == 0:
        note = (
            f"{len(users):,} users are told apart: no cap of {share:.1%} a user can hold below "
            f"{_least(share):,}, so none was set."
        )
        return Capped(list(rows), 0, note)
    if most >= max(users.values()):
        return Capped(list(rows))
    kept = _sampled(rows, most)
    found = [row for at, row in enumerate(rows) if at in kept]
    dropped = len(rows) - len(found)
    over = sum(count > most for count in users.values())
    note = (
        f"{dropped:,} training rows of {over:,} of {len(users):,} users were left out: no user may "
        f"have more than {share:.1%} of them ({most:,} rows; `source_share` in [defaults])."
    )
    return Capped(found, dropped, note)


def _least(share: float) -> int:
    return math.ceil(1.0 / share - 1e-9)


def _most(counts: Sequence[int], share: float) -> int:
    """Return the most rows a user may have, 0 where no number of rows holds the share.

    What is kept grows with that number, but ever more slowly: the largest that fits is searched
    for. The share is of the rows that name a user: the others add nothing to what he may have.
    """
    if len(counts) < _least(share):
        return 0

    def fits(most: int) -> bool:
        return most <= share * sum(min(count, most) for count in counts)

    low, high = 1, max(counts)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _sampled(rows: Sequence[Example], most: int) -> set[int]:
    places: defaultdict[str, list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        places[row.source].append(at)
    kept: set[int] = set()
    for source, own in places.items():
        if source.startswith(USER) and len(own) > most:
            own.sort(key=lambda at: (uniform(f"source {rows[at].id}"), rows[at].id))
            own = own[:most]
        kept.update(own)
    return kept
