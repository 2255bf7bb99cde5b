"""Which file of a folder a JavaScript import means; packages are none of them."""

import os
import posixpath
from collections.abc import Iterable, Iterator
from pathlib import Path

from stepdown.scan.javascript import Reader
from stepdown.scan.syntax import SUFFIXES, parse

__all__ = ["Modules"]

_ROOTS = ("@/", "~/")
"""How many projects' settings name the folder of their sources."""


class Modules:
    """A folder's files by what others import them as, read when they are asked for."""

    def __init__(self, folder: Path, paths: Iterable[Path]) -> None:
        self._folder = folder
        self._files = frozenset(
            path.relative_to(folder).as_posix() for path in paths if path.suffix in SUFFIXES
        )
        self._readers: dict[str, Reader | None] = {}

    def __call__(self, file: str, module: str) -> Reader | None:
        """Return the reader of the file that a module is in an import of `file`."""
        name = next((one for one in _names(file, module) if one in self._files), None)
        if name is None:
            return None
        if name not in self._readers:
            self._readers[name] = self._read(name)
        return self._readers[name]

    def _read(self, name: str) -> Reader | None:
        try:
            source = (self._folder / name).read_bytes()
            return Reader(name, parse(source, SUFFIXES[os.path.splitext(name)[1]]), self)
        except (OSError, ValueError, RecursionError):
            return None


def _names(file: str, module: str) -> Iterator[str]:
    """Yield the files that a module may be: itself, with a suffix, or a folder's index."""
    folder = posixpath.dirname(file)
    if module.startswith("."):
        bases = [posixpath.join(folder, module)]
    elif module.startswith(_ROOTS):
        above = folder.split("/")
        folders = ["/".join(above[:end]) for end in range(len(above), -1, -1)]
        bases = [posixpath.join(at, source, module[2:]) for at in folders for source in ("src", "")]
    else:
        return
    for base in map(posixpath.normpath, bases):
        stem, suffix = posixpath.splitext(base)
        yield base
        # TypeScript imports `client.ts` as `./client.js`.
        for start in (stem if suffix in SUFFIXES else base, f"{base}/index"):
            yield from (start + ending for ending in SUFFIXES)
