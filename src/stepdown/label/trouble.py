"""A question that brought no answer: what it was, whether it was paid for, what to do now."""

import msgspec

from stepdown.errors import InputError, UpstreamError
from stepdown.wire.retry_after import PASSING, TIMED_OUT

__all__ = ["HOPELESS", "PATIENCE_S", "Trouble", "hopeless", "trouble"]

HOPELESS = 20
"""After so many questions in a row without an answer no more are asked."""

PATIENCE_S = 60.0
"""Nor where a teacher that can't answer now has answered nothing for so long."""

_KEY = {
    401: "does not know the key",
    402: "has no money left for the key",
    403: "does not let the key do this",
    404: "has no such model or address",
}


class Trouble(msgspec.Struct, frozen=True):
    """`paid` is as in `core.labels.Failed`; `slower`: it is the teacher that can't answer now,
    whatever it is asked; `ends` is the sentence that the sitting ends with."""

    why: str
    paid: bool | None = False
    again: bool = False
    slower: bool = False
    retry_after: float | None = None
    ends: str = ""
    told: str = ""


def trouble(error: UpstreamError | InputError | TimeoutError) -> Trouble:
    """Return what stands behind an error; a status other than 200 was not paid for, but for 504."""
    told = str(error)
    if isinstance(error, InputError):
        return Trouble("not an answer", True, again=True, told=told)
    if isinstance(error, TimeoutError):
        return Trouble("no answer in time", None, again=True, told="It took too long.")
    status = error.status
    if status is None:
        if error.unsent:
            return Trouble("not reached", again=True, slower=True, told=told)
        return Trouble("cut off", None, again=True, slower=True, told=told)
    if status in _KEY:
        why = "not found" if status == 404 else "refused key"
        return Trouble(why, ends=_ending(f"{_KEY[status]} (status {status})"))
    if status == 429 and "insufficient_quota" in told:
        return Trouble("refused key", ends=_ending("says that the key's quota is used up"))
    if status in TIMED_OUT:
        return Trouble("no answer in time", None, again=True, told=told)
    if status in PASSING:
        why = "rate limited" if status == 429 else "overloaded"
        return Trouble(why, False, True, True, error.retry_after, told=told)
    return Trouble("refused request", told=told)


def hopeless(last: Trouble, what: str = f"{HOPELESS} questions in a row brought no answer") -> str:
    """Return the sentence that a sitting ends with whose questions bring no answers."""
    return f"{what}, the last: {last.told or last.why}"


def _ending(what: str) -> str:
    return f"The teacher {what}; mend that and type the same command again, what is paid is kept."
