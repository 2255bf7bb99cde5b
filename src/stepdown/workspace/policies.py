"""`policy.json`: which student answers which task. A change is one atomic, numbered step."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from stepdown.core.fingerprint import canonical_json
from stepdown.core.routes import Policy, Route
from stepdown.errors import Refusal
from stepdown.workspace.files import locked, publish_file, read_file

__all__ = ["change_policy", "read_policy", "rolled_back"]

_KEPT = 3  # previous routes that a rollback can still reach


def read_policy(path: Path) -> Policy:
    """Return the policy at `path`; none yet is the empty one.

    Raises:
        ArtefactError: the file is not a policy.
    """
    return read_file(path, Policy, "remove it and promote the tasks again") or Policy()


def change_policy(path: Path, task: str, change: Callable[[Route | None], Route | None]) -> Policy:
    """Replace one task's route by `change(route)` (None: no route) and return the new policy.

    Concurrent changes wait for each other, so none is lost and each generation is made once.
    """
    with locked(path.with_name(".policy.lock")):
        old = read_policy(path)
        routes = dict(old.routes)
        before = routes.pop(task, None)
        after = change(before)
        if after is not None:
            routes[task] = _trimmed(after, _KEPT)
        policy = Policy(old.generation + 1, routes)
        publish_file(path, canonical_json(policy))
        return policy


def rolled_back(route: Route | None) -> Route | None:
    """Return the route before this one, or None (the frontier answers) when there was none.

    Raises:
        Refusal: there is no route to roll back.
    """
    if route is None:
        raise Refusal("This task has no route, so there is nothing to roll back.")
    return route.previous


def _trimmed(route: Route, kept: int) -> Route:
    if route.previous is None or kept == 0:
        return msgspec.structs.replace(route, previous=None)
    return msgspec.structs.replace(route, previous=_trimmed(route.previous, kept - 1))
