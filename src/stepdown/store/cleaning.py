"""Steps of a labelling without what may not be kept; what can't be cleaned keeps no content."""

from collections.abc import Callable

import msgspec

from stepdown.core.calls import Answer, Request
from stepdown.core.labels import Failed, Parsed, Reserved, Step, Stored

__all__ = ["cleaned"]


def cleaned(step: Step, clean: Callable[[bytes], bytes]) -> Step:
    """Return the step as it may be kept."""
    replace = msgspec.structs.replace
    try:
        match step:
            case Stored():
                return replace(step, raw=clean(step.raw))
            case Parsed():
                told = msgspec.json.encode(step.answer)
                return replace(step, answer=msgspec.json.decode(clean(told), type=Answer))
            case Reserved(request=Request()):
                told = msgspec.json.encode(step.request)
                return replace(step, request=msgspec.json.decode(clean(told), type=Request))
            case Failed():
                return replace(step, why=clean(step.why.encode()).decode())
            case _:
                return step
    except Exception:  # noqa: BLE001 - whatever fails, what was not cleaned is not kept
        match step:
            case Stored():
                return replace(step, raw=b"{}")
            case Parsed():
                return replace(step, outcome="unreadable", answer=Answer())
            case Failed():
                return replace(step, why="")
            case _:
                return replace(step, request=None)
