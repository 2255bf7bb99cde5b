"""What a group of calls cost, by day and by whose calls they were: exact sums, bounded."""

import math
from collections import Counter

import msgspec

from stepdown.audit.prices import ATTODOLLARS
from stepdown.core.calls import DAY_S, Call

__all__ = ["OTHERS", "Ledger", "ModelSpend"]

OTHERS = "others"
_DAYS = 4_000
_NAMES = 500


class ModelSpend(msgspec.Struct, frozen=True):
    """What one model's calls cost in attodollars, and their tokens."""

    model: str
    cost: int
    read: float
    written: float


class Ledger:
    """Sums in attodollars. Of each kind of name the first 500 are kept, what follows is `OTHERS`;
    of days 4,000, eleven years of them. One that is `part` of a larger one keeps all."""

    def __init__(self, *, part: bool = False) -> None:
        self._names = math.inf if part else _NAMES
        self._days = math.inf if part else _DAYS
        self._spent: dict[str, Counter[str]] = {}
        self._calls: Counter[int] = Counter()
        self._cost: Counter[int] = Counter()
        self._mix: dict[str, tuple[int, int, int]] = {}

    def add(self, call: Call, cost: int | None) -> None:
        """Count one call; a cost of None is unknown, and in no sum."""
        if call.time is not None:
            self._count(int(call.time // DAY_S), 1, cost or 0)
        if cost:
            used = call.usage
            read, written = (used.input_tokens, used.output_tokens) if used else (0, 0)
            self._mixed(call.model or call.request.model, (cost, read, written))
            for kind, name in call.by.items():
                # A user is nobody's cost centre, and no name of a report that is passed around.
                if kind != "user":
                    self._spend(kind, name, cost)

    def merge(self, other: "Ledger") -> None:
        """Make this the sums of both."""
        for day, calls in other._calls.items():
            self._count(day, calls, other._cost[day])
        for model, sums in other._mix.items():
            self._mixed(model, sums)
        for kind, names in other._spent.items():
            for name, cost in names.items():
                self._spend(kind, name, cost)

    def spend_by(self) -> dict[str, dict[str, float]]:
        """Return kind → name → US dollars, the largest first."""
        return {
            kind: {name: cost / ATTODOLLARS for name, cost in names.most_common()}
            for kind, names in sorted(self._spent.items())
        }

    def days(self) -> tuple[tuple[int, int, float], ...]:
        """Return (day, calls, US dollars) in order."""
        return tuple(
            (day, calls, self._cost[day] / ATTODOLLARS)
            for day, calls in sorted(self._calls.items())
        )

    def mix(self) -> tuple[ModelSpend, ...]:
        """Return what each model's calls cost, as far as that is known."""
        return tuple(ModelSpend(model, *sums) for model, sums in sorted(self._mix.items()))

    def _mixed(self, model: str, sums: tuple[int, int, int]) -> None:
        name = model if model in self._mix or len(self._mix) < self._names else OTHERS
        cost, read, written = self._mix.get(name, (0, 0, 0))
        self._mix[name] = (cost + sums[0], read + sums[1], written + sums[2])

    def _count(self, day: int, calls: int, cost: int) -> None:
        if day in self._calls or len(self._calls) < self._days:
            self._calls[day] += calls
            self._cost[day] += cost

    def _spend(self, kind: str, name: str, cost: int) -> None:
        names = self._spent.setdefault(kind, Counter())
        names[name if name in names or len(names) < self._names else OTHERS] += cost
