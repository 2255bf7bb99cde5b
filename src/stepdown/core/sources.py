"""Whose input a call is: its source, as a mark that can be compared and does not show the name."""

from typing import Any

from stepdown.core.calls import Call
from stepdown.core.people import hashed, mark_of

__all__ = ["USER", "people_of", "source_of"]

USER = "user"
"""How the mark of an end user begins; the other kinds are a team's own keys, teams and services."""

_KINDS = (USER, "key", "team", "service")
_USERS = ("safety_identifier", "user")


def source_of(call: Call) -> str:
    """Return the mark of the call's source, "" where the log names none.

    The end user comes first (as the log or the request itself names him), then the key, the team
    and the service: the narrowest that is known.
    """
    request = call.request
    asked: list[Any] = [request.params.get(name) for name in _USERS]
    user = next(
        (name for name in (*asked, request.metadata.get("user_id")) if isinstance(name, str)), ""
    )
    names = {USER: user} | call.by
    for kind in _KINDS:
        if name := names.get(kind):
            return mark_of(name) if kind == USER else hashed(kind, name)
    return ""


def people_of(call: Call) -> set[str]:
    """Return the marks of all whom the call names: as its user, or as its group."""
    request = call.request
    named = (
        *(request.params.get(name) for name in _USERS),
        request.metadata.get("user_id"),
        call.by.get(USER),
        call.group,
    )
    return {mark_of(name) for name in named if isinstance(name, str) and name}
