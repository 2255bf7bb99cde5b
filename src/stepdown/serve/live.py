"""What a gateway serves at one moment: the tasks, and the students that answer them.

A new generation replaces the whole value at once; a request keeps the one it began with.
"""

from collections.abc import Callable

import msgspec

from stepdown.core.calls import Request
from stepdown.core.contracts import Contract
from stepdown.core.ports import Student
from stepdown.core.routes import Route
from stepdown.core.tasks import Task, TaskIndex, texts

__all__ = ["LiveRoute", "Load", "Loaded", "same_words"]


class LiveRoute(msgspec.Struct, frozen=True):
    """A route with its student ready."""

    route: Route
    student: Student
    contract: Contract


class Loaded(msgspec.Struct, frozen=True):
    """One generation of the policy; `problems` says by task id why a route's student is missing."""

    tasks: TaskIndex
    routes: dict[str, LiveRoute]
    generation: int = 0
    problems: dict[str, str] = {}


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
        if task.id not in loaded.routes or signature.specificity == 0:
            continue
        if signature.match(*words) is not None:
            return task
    return None
