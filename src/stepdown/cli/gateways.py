"""What `stepdown status` tells of the gateways that run on a workspace."""

import os
from collections.abc import Iterator

import msgspec

from stepdown.cli.options import Session
from stepdown.core import display
from stepdown.core.calls import DAY_S
from stepdown.errors import UpstreamError
from stepdown.render import say
from stepdown.serve.look import Standing, look
from stepdown.workspace.presence import present

__all__ = ["Found", "find_gateways", "tell_gateways"]

_HOUR_S = 3600


class Found(msgspec.Struct, frozen=True):
    """A gateway whose note stands in the workspace; `problem` says why it could not be asked."""

    address: str
    pid: int
    standing: Standing | None = None
    problem: str = ""


def find_gateways(session: Session) -> list[Found]:
    """Ask every gateway that runs on the workspace how it is."""
    variable = session.config.serve.client_keys_env
    key = os.environ.get(variable, "").partition(",")[0].strip() if variable else ""
    found: list[Found] = []
    for note in present(session.workspace.root):
        try:
            found.append(Found(note.address, note.pid, look(note.address, key)))
        except UpstreamError as problem:
            found.append(Found(note.address, note.pid, problem=str(problem)))
    return found


def tell_gateways(gateways: list[Found]) -> None:
    """Print how the gateways are, or that none runs."""
    if not gateways:
        say("No gateway runs on this workspace.")
    for gateway in gateways:
        if gateway.standing is None:
            say(f"Process {gateway.pid}: {gateway.problem}")
            continue
        for line in _lines(gateway.standing):
            say(line)


def _lines(standing: Standing) -> Iterator[str]:
    yield f"Gateway on {standing.address}: {', '.join(_head(standing))}."
    rates = standing.per_second
    if rates is None or standing.requests is None:
        yield f"  requests: {display.UNKNOWN}, {standing.unread or 'it has just begun'}"
    else:
        told = [
            f"{display.count(standing.requests[tier])} {tier} ({rate:.3g} a second)"
            for tier, rate in rates.items()
        ]
        yield f"  requests since its start: {', '.join(told)}"
    for upstream in standing.upstreams:
        state = "held back" if upstream.held_back else _REACHED[upstream.reachable]
        yield f"  {upstream.name} {upstream.address}: {state}"
    if standing.capture:
        told = [f"{display.count(v)} {k}" for k, v in standing.capture.items() if k in _COUNTS]
        yield f"  capture: {', '.join(told)}"
    for student in standing.students_off:
        yield f"  student {student} is switched off (for its faults, or by an operator)"
    for problem in standing.problems:
        yield f"  {problem}"


def _head(standing: Standing) -> Iterator[str]:
    yield standing.status
    if standing.generation is not None:
        yield f"policy generation {standing.generation}"
    if standing.uptime_s is not None:
        yield f"up {_span(standing.uptime_s)}"
    if standing.memory_bytes is not None:
        yield f"{display.bytes_size(standing.memory_bytes)} of memory"


def _span(seconds: float) -> str:
    if seconds >= DAY_S:
        return display.days(seconds / DAY_S)
    if seconds >= _HOUR_S:
        return f"{seconds / _HOUR_S:.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


_REACHED = {True: "reachable", False: "not reachable", None: "not asked yet"}
_COUNTS = ("committed", "waiting", "dropped")
