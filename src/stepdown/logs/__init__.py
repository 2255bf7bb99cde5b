"""Reading call logs: any supported format, plain or compressed, as one bounded stream of calls."""

from stepdown.logs.reading import read_calls, read_lines_of
from stepdown.logs.sources import spool

__all__ = ["read_calls", "read_lines_of", "spool"]
