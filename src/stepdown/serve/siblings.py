"""The workers of one gateway telling each other their metrics, so that any of them tells all, and
passing on what an operator has told one of them.

They meet on sockets in a private folder that their parent made; whoever is dead is left out.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

__all__ = ["Siblings", "merged"]

_PAGE = "page"
_PATIENCE_S = 0.5
_LONGEST = 4 * 1024 * 1024
_NAME = re.compile(rb"([A-Za-z_:][A-Za-z0-9_:]*)(\{?)")


class Siblings:
    """A worker's place among the others: `number` is its own, `page` what it tells them, and `obey`
    does what one of them passes on."""

    def __init__(
        self,
        folder: Path,
        number: int,
        page: Callable[[], bytes],
        obey: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._number = number
        self._page = page
        self._obey = obey
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begin to tell the others; a socket that a killed worker of this number left goes."""
        own = self._path(self._number)
        own.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._tell, own)

    async def close(self) -> None:
        """Tell them no more."""
        if self._server is not None:
            self._server.close()
            self._path(self._number).unlink(missing_ok=True)

    async def page(self) -> bytes:
        """Return the metrics of all workers that answer, each with its number as a label."""
        return merged({self._number: self._page(), **await self._asked(_PAGE)})

    async def pass_on(self, order: str) -> int:
        """Let the others do what this one was told; returns how many have."""
        return len(await self._asked(order))

    async def _asked(self, what: str) -> dict[int, bytes]:
        """Return the answers of those that answer, by their numbers."""
        numbers = {int(path.stem) for path in self._folder.glob("*.sock")} - {self._number}
        told = await asyncio.gather(*(self._ask(number, what) for number in numbers))
        return {number: answer for number, answer in zip(numbers, told, strict=True) if answer}

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.sock"

    async def _tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                what = (await reader.readline()).decode().strip()
                if what == _PAGE:
                    writer.write(self._page())
                elif what:
                    self._obey(what)
                    writer.write(b"done")
                await writer.drain()
        writer.close()

    async def _ask(self, number: int, what: str) -> bytes:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(
                    self._path(number), limit=_LONGEST
                )
                try:
                    writer.write(f"{what}\n".encode())
                    return await reader.read(-1)
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return b""


def merged(pages: Mapping[int, bytes]) -> bytes:
    """Return one page of the workers' own, a label `worker` at each sample's front.

    Samples of one metric stay together, as the format wants it.
    """
    families: dict[bytes, list[bytes]] = {}
    for number, page in sorted(pages.items()):
        label = b'worker="%d"' % number
        lines: list[bytes] = []
        for line in page.split(b"\n"):
            if line.startswith(b"# HELP "):
                name = line.split(b" ", 3)[2]
                known = name in families
                lines = families.setdefault(name, [])
                if not known:
                    lines.append(line)
            elif line.startswith(b"#"):
                if len(lines) == 1:
                    lines.append(line)
            elif found := _NAME.match(line):
                inside = found[2] and line[found.end() : found.end() + 1] != b"}"
                labels = b"{" + label + (b"," if inside else b"" if found[2] else b"}")
                lines.append(found[1] + labels + line[found.end() :])
    return b"\n".join([line for lines in families.values() for line in lines] + [b""])
