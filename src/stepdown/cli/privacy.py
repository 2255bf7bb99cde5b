"""What a session's configuration keeps out of everything that is stored."""

from collections.abc import Callable
from functools import lru_cache

import msgspec

from stepdown.cli.options import Session
from stepdown.core.display import shortened
from stepdown.core.people import marks_in
from stepdown.core.redaction import Redaction, Redactor, redactor
from stepdown.workspace.forgotten import read_forgotten

__all__ = ["Screening", "cleaner", "screen_of", "shown"]

_SHOWN = 300


class Screening(msgspec.Struct, frozen=True):
    """What a record of a log goes through; a value, so that workers can be given it.

    What is of somebody in `gone` is passed over.
    """

    redaction: Redaction
    gone: frozenset[str] = frozenset()

    def __call__(self, line: bytes) -> bytes | None:
        """Return the record redacted; None where it is passed over."""
        if self.gone and not self.gone.isdisjoint(marks_in(line)):
            return None
        return _redactor(self.redaction).clean(line)


@lru_cache(4)
def _redactor(redaction: Redaction) -> Redactor:
    return redactor(redaction.kinds, regions=redaction.regions)


def cleaner(session: Session) -> Callable[[bytes], bytes]:
    """Return what takes out of a line of JSON what the configuration names.

    Raises:
        ConfigError, Unavailable: it names a country that is not known, or takes an extra.
    """
    return _redactor(session.config.store.redaction).clean


def shown(session: Session, told: str) -> str:
    """Return what somebody's server told as it may be shown: it may repeat what it was sent."""
    text = cleaner(session)(told.encode("utf-8", "replace")).decode("utf-8", "replace")
    return shortened(text, _SHOWN)


def screen_of(session: Session, *, forgotten: bool = True) -> Screening:
    """Return what redacts a log's records, and passes over those who were `forgotten`.

    Raises:
        ConfigError, Unavailable: as `cleaner`.
    """
    cleaner(session)
    gone = read_forgotten(session.workspace.forgotten).people if forgotten else ()
    return Screening(session.config.store.redaction, frozenset(gone))
