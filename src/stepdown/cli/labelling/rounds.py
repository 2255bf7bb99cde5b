"""A labelling in rounds: what is chosen next hangs on the answers so far."""

from collections import Counter
from collections.abc import Callable, Iterator

import msgspec

from stepdown.cli.labelling.questions import Plan
from stepdown.core.calls import Request
from stepdown.core.labels import Kept
from stepdown.label.asking import AskTerms, Sitting

__all__ = ["ask_in_rounds", "in_rounds"]

_REASONS = ("uncertain", "novel", "rare")


def ask_in_rounds(
    plan: Plan,
    terms: AskTerms,
    size: Callable[[], int],
    again: Callable[[], Plan],
    sit: Callable[[Plan, AskTerms], Sitting],
) -> Sitting:
    """Ask all of the plan and choose anew when a part of it has answers; return all that came.

    `size` is how many chosen questions a part has, `again` the plan when they have answers.
    """
    whole = Sitting(Counter(), Counter(), spent=terms.spent)
    for part in in_rounds(plan, size, again):
        sitting = sit(part, msgspec.structs.replace(terms, spent=whole.spent))
        whole = msgspec.structs.replace(
            sitting,
            outcomes=whole.outcomes + sitting.outcomes,
            failures=whole.failures + sitting.failures,
            calls=whole.calls + sitting.calls,
            left=whole.left + sitting.left,
        )
        if sitting.stopped:
            break
    return whole


def in_rounds(plan: Plan, size: Callable[[], int], again: Callable[[], Plan]) -> Iterator[Plan]:
    """Yield what is asked, the chosen questions some at a time; what had no answer is left."""
    tried: set[str] = set()
    while True:
        waiting = [one for one in plan.asked if one[0].reserved.key not in tried]
        now = _part(waiting, size())
        tried |= {one.reserved.key for one, _ in now}
        later = len(waiting) - len(now)
        yield msgspec.structs.replace(plan, asked=now, later=later)
        if not later:
            return
        plan = again()


def _part(waiting: list[tuple[Kept, Request]], room: int) -> list[tuple[Kept, Request]]:
    """Return what was begun, drawn or asked again, and the first `room` of what is chosen."""
    chosen = [
        one.reserved.item
        for one, _ in waiting
        if not one.sends and one.reserved.why in _REASONS and not one.reserved.repeat
    ]
    later = set(chosen[room:])
    return [one for one in waiting if one[0].reserved.item not in later]
