"""What a gateway serves at one moment: the tasks, and the students that answer them.

A new generation replaces the whole value at once; a request keeps the one it began with.
"""

from collections.abc import Callable

import msgspec

from stepdown.core.calls import Request
from stepdown.core.contracts import Contract
from stepdown.core.ports import Student
from stepdown.core.redaction import DEFAULT
from stepdown.core.routes import Route
from stepdown.core.tasks import Task, TaskIndex, texts
from stepdown.wire.asking import Inquiry

__all__ = ["LiveRoute", "Load", "Loaded", "same_words"]


class LiveRoute(msgspec.Struct, frozen=True):
    """A route with its student ready.

    Where a hosted model stands behind the student, the student answers down to the confidence
    `gate`, and `behind` says how the model is asked for the rest; None where it can't be.
    `redacted` names what was taken out of what it learnt from.
    """

    route: Route
    student: Student
    contract: Contract
    gate: float = 0.0
    behind: Inquiry | None = None
    redacted: str = DEFAULT.name

    @property
    def threshold(self) -> float:
        """The confidence from which on the student answers."""
        return max(self.route.threshold, self.gate)

    @property
    def asks_behind(self) -> bool:
        """Whether the route's certificate trusts the model behind with any answer."""
        return self.behind is not None and self.route.threshold <= self.gate

    def trusts(self, sure: float) -> bool:
        """Say whether an answer of which the model behind is that sure may be given."""
        return self.gate * sure >= self.route.threshold


class Loaded(msgspec.Struct, frozen=True):
    """One generation of the policy; `problems` says by task id why a route's student is missing,
    `notes` what else people should know of a route that works."""

    tasks: TaskIndex
    routes: dict[str, LiveRoute]
    generation: int = 0
    problems: dict[str, str] = {}
    notes: dict[str, str] = {}


Load = Callable[[int | None], Loaded | None]
"""load(generation) → what to serve now, or None when that generation still stands.

It is called with None at start, when it must not return None, and then about twice a second in a
thread of its own. Whatever it raises later leaves the old generation in place.
"""


def same_words(loaded: Loaded, request: Request) -> Task | None:
    """Return the routed task whose templates fit though its tools or output format do not.

    A task whose templates are all holes fits any text, so it is none.
    """
    words = texts(request)
    for task in loaded.tasks.tasks():
        signature = task.signature
        if task.id not in loaded.routes or signature.match(*words) is None:
            continue
        if signature.specificity > 0:
            return task
    return None
