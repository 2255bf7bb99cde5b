"""Reading call logs: any supported format, plain or compressed, as one bounded stream of calls."""

from stepdown.logs.reading import read_calls
from stepdown.logs.sources import spool

__all__ = ["read_calls", "spool"]
