"""A log format whose every line is screened before it is understood: nothing else sees it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from stepdown.core.calls import Call
from stepdown.core.ports import Line, LogFormat, Screen
from stepdown.logs.reasons import FORGOTTEN, NOT_REDACTED

__all__ = ["Screened"]


class Screened:
    """Reads as `inner` does, of what a screen lets through; what it fails on is no call."""

    def __init__(self, inner: LogFormat, screen: Screen) -> None:
        self.name = inner.name
        self.joins = getattr(inner, "joins", False)
        self.last = getattr(inner, "last", False)
        self.records = getattr(inner, "records", None)
        self.doubts = getattr(inner, "doubts", None)
        self._inner, self._screen = inner, screen

    def detect(self, sample: Sequence[dict[str, Any]]) -> bool:
        """Say what the format itself says."""
        return self._inner.detect(sample)

    def suited(self, sample: Sequence[dict[str, Any]]) -> LogFormat:
        """Return the format that the inner one says is suited to a file, screened as well."""
        suited = getattr(self._inner, "suited", None)
        inner = suited(sample) if suited else self._inner
        return self if inner is self._inner else Screened(inner, self._screen)

    def read(self, lines: Iterable[Line]) -> Iterator[Call | str]:
        """Yield each line's call, or why there is none."""
        refused: list[str] = []
        for item in self._inner.read(self._passed(lines, refused)):
            yield item
            yield from refused
            refused.clear()
        yield from refused

    def _passed(self, lines: Iterable[Line], refused: list[str]) -> Iterator[Line]:
        for line in lines:
            try:
                seen = self._screen(line.data)
            except Exception:  # noqa: BLE001 - whatever fails, what was not cleaned is not read
                refused.append(NOT_REDACTED)
                continue
            if seen is None:
                refused.append(FORGOTTEN)
            else:
                yield line if seen is line.data else Line(seen, line.source, line.number)
