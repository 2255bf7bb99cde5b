"""The loop of every format that has one call a line: what can't be read is told, never fatal."""

from collections.abc import Callable, Iterable, Iterator

from stepdown.core.calls import Call
from stepdown.core.ports import Line
from stepdown.errors import InputError
from stepdown.logs import reasons

__all__ = ["each_call"]


def each_call(lines: Iterable[Line], read: Callable[[Line], Call | str]) -> Iterator[Call | str]:
    """Yield what `read` makes of each line, or the fault that stands in a line it can't read."""
    for line in lines:
        try:
            yield read(line)
        except (InputError, ValueError, RecursionError):
            yield reasons.json_problem(line.data) or reasons.MALFORMED_REQUEST
        except (TypeError, AttributeError, LookupError, ArithmeticError):
            # The last resort: formats check what they read (tests/logs/test_any_types.py), but a
            # shape that nobody foresaw must not end the reading of ten million other lines.
            yield reasons.ODD_FIELDS
