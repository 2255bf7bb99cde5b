"""The engine of one machine without a cluster: in this process, one item after another."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager

from stepdown.core.ports import Complete, Connect, Item, Result

__all__ = ["Local"]


class Local:
    """Works on one item at a time, here: nothing is started, nothing is copied."""

    name = "local"
    workers = 0

    def __init__(self, workers: int | None = None) -> None:
        del workers  # there is none beside this process

    def map(
        self, work: Callable[[Item], Result], items: Iterable[Item], ahead: int = 2
    ) -> Iterator[Result]:
        """Yield what `work` makes of each item, when it is asked for."""
        del ahead
        return map(work, items)

    def asking(self, connect: Connect) -> AbstractAsyncContextManager[Complete]:
        """Connect here."""
        return connect()

    def close(self) -> None:
        """Nothing to end."""
