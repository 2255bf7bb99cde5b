"""An SSE stream as it passes: whole lines go on at once, its end and what follows is held back."""

import re
from collections.abc import Callable

__all__ = ["LineTooLong", "SsePassage"]

_LINE_END = re.compile(rb"\n|\r[^\n]")


class LineTooLong(ValueError):
    """A line without an end: nothing that could be forwarded or kept."""


class SsePassage:
    """Splits a stream into lines; `frames` collects the data of each, up to what `ends` it.

    Only whole lines are forwarded, so a stream that breaks off never breaks off inside one. The
    bytes of `feed` and of `rest`, one after another, are the bytes of the stream, but for the
    events whose data `drops` says are not the caller's. `newline` is what the stream ends its lines
    with; the standard lets that be a lone CR, and the beginning tells.
    """

    def __init__(
        self,
        longest_line: int,
        ends: Callable[[bytes], bool],
        drops: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._drops = drops
        self._dropped = False
        self._longest_line = longest_line
        self._ends = ends
        self._held = bytearray()
        self._open = bytearray()
        self._begun = False
        self.newline = b"\n"
        self.frames: list[bytes] = []
        self.done = False

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk and return what may go on to the caller.

        Raises:
            LineTooLong: a line, or what follows the end, is longer than any sound upstream sends.
        """
        if self.done:
            self._open += chunk
            if len(self._open) > self._longest_line:
                raise LineTooLong
            return b""
        if not self._begun:
            chunk = self._beginning(chunk)
        end = chunk.rfind(self.newline) + 1
        if end == len(chunk) and not self._open:
            return self._pass(chunk)
        passed = b""
        if end == 0:
            self._open += chunk
        else:
            lines = bytes(self._open) + chunk[:end]
            self._open = bytearray(chunk[end:])
            passed = self._pass(lines)
        if len(self._open) > self._longest_line:
            raise LineTooLong
        return passed

    def broke_off(self) -> None:
        """Hold of the end its own event alone, closed: what followed belongs to a broken stream."""
        end = bytes(self._held + self._open).partition(self.newline)[0]
        self._held[:] = end + self.newline + (b"\r\n" if end.endswith(b"\r") else self.newline)
        self._open.clear()

    def rest(self) -> bytes:
        """Return what was held back: the end and what came after it, or an unfinished line."""
        return bytes(self._held + self._open)

    def _beginning(self, chunk: bytes) -> bytes:
        """See how lines end, once one does; return what is still to be looked through."""
        end = _LINE_END.search(bytes(self._open[-1:]) + chunk)
        if end is None:
            return chunk
        self._begun, self.newline = True, end[0][:1]
        if self.newline == b"\r":
            chunk = bytes(self._open) + chunk
            self._open.clear()
        return chunk

    def _pass(self, lines: bytes) -> bytes:
        if self._drops is not None:
            return self._pass_some(lines, self._drops)
        at = 0
        for line in lines.split(self.newline):
            if line.startswith(b"data:"):
                data = line[5:].strip()
                self.frames.append(data)
                if self._ends(data):
                    self.done = True
                    self._held += lines[at:]
                    return lines[:at]
            at += len(line) + 1
        return lines

    def _pass_some(self, lines: bytes, drops: Callable[[bytes], bool]) -> bytes:
        """Pass lines on without the events that are dropped, and the empty lines that end them."""
        kept: list[bytes] = []
        at = 0
        while at < len(lines):
            end = lines.index(self.newline, at) + 1
            line = lines[at:end]
            data = line[5:].strip() if line.startswith(b"data:") else None
            if data is not None:
                self.frames.append(data)
                if self._ends(data):
                    self.done = True
                    self._held += lines[at:]
                    break
                self._dropped = drops(data)
            if not self._dropped:
                kept.append(line)
            elif not line.strip():
                self._dropped = False
            at = end
        return b"".join(kept)
