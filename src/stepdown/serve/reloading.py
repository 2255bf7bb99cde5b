"""Taking up a changed configuration while running: read, checked, and swapped at once.

What is under way keeps the upstreams that it began with; they are closed when the last of it must
have ended.
"""

import asyncio
from collections.abc import Callable

import msgspec

from stepdown.core.ports import Price
from stepdown.errors import StepdownError
from stepdown.serve.live import Load
from stepdown.serve.settings import Settings, checked
from stepdown.serve.upstream import Upstream

__all__ = ["Config", "Reload", "Reloaded", "no_reload", "renewed", "retire"]

_LOOK_S = 0.2


class Reloaded(msgspec.Struct, frozen=True):
    """A configuration that was read again.

    `load` loads the policy from now on, `price` says what calls cost; None: as before. `notes` are
    sentences on what was changed but takes a restart.
    """

    settings: Settings
    load: Load | None = None
    price: Price | None = None
    notes: tuple[str, ...] = ()


Reload = Callable[[], Reloaded]
"""reload() reads the configuration again; it raises StepdownError where that is not to be had."""


class Config(msgspec.Struct, frozen=True):
    """What `/readyz` says of the configuration: how often it was taken up, and what is wrong."""

    reloads: int = 0
    problem: str = ""
    notes: tuple[str, ...] = ()


def no_reload() -> Reloaded:
    """Stand in where there is nothing to read."""
    raise StepdownError("This gateway was not started from a configuration; start it again.")


def renewed(old: Settings, new: Settings) -> Settings:
    """Return the new settings with what a running gateway can't change.

    Raises:
        UsageError: they make no sense together.
    """
    fixed = msgspec.structs.replace(
        new, host=old.host, port=old.port, worker=old.worker, admin=old.admin
    )
    return checked(fixed)


async def retire(upstream: Upstream, longest_s: float) -> None:
    """Close an upstream when the last of its requests has ended.

    A call that began before may still come to it as a fall-back, for `longest_s`. A gateway that
    closes does not wait.
    """
    try:
        await asyncio.sleep(longest_s)
        while upstream.under_way:
            await asyncio.sleep(_LOOK_S)
    finally:
        await upstream.close()
