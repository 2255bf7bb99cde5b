"""The Python files of a folder as modules: what a name in an `import` stands for."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from stepdown.scan.scopes import Scope, read_code

__all__ = ["PythonModules", "imported"]

_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t(]+([\w, \t]*)|import[ \t]+([.\w]+))", re.M
)


def imported(data: bytes) -> Iterator[str]:
    """Yield the modules that a file may import, by its text alone."""
    for module, names, plain in _IMPORT.findall(data):
        name = (module or plain).decode(errors="replace")
        yield name
        for one in names.decode(errors="replace").replace(",", " ").split():
            yield f"{name}{one}" if name.endswith(".") else f"{name}.{one}"


class PythonModules:
    """Finds files by the name that they are imported under; reads their names when asked."""

    def __init__(self, folder: Path, files: Sequence[str]) -> None:
        self._folder = folder
        self._exact: dict[str, str] = {}
        self._endings: dict[str, str | None] = {}
        self._packages: set[str] = set()
        self._known: dict[str, Scope | None] = {}
        for file in files:
            if file.endswith(".py"):
                parts = file.removesuffix(".py").split("/")
                if parts[-1] == "__init__":
                    parts = parts[:-1]
                    self._packages.add(".".join(parts))
                self._exact[".".join(parts)] = file
                # A package may be installed from any folder of the code: `src`, `lib`, ….
                for start in range(len(parts)):
                    ending = ".".join(parts[start:])
                    self._endings[ending] = None if ending in self._endings else file

    def file(self, name: str, file: str) -> str | None:
        """Return the file of a module that another file imports; None where it is not of the code,
        or may be either of two."""
        folder = file.split("/")[:-1]
        absolute = name.lstrip(".")
        if name.startswith("."):
            level = len(name) - len(absolute) - 1
            if level > len(folder):
                return None
            parts = [*folder[: len(folder) - level], *([absolute] if absolute else [])]
            return self._exact.get(".".join(parts))
        # What lies in a package is imported by the package's name.
        while folder and ".".join(folder) in self._packages:
            folder.pop()
        for end in range(len(folder), -1, -1):
            found = self._exact.get(".".join([*folder[:end], name]))
            if found is not None:
                return found
        return self._endings.get(name)

    def __call__(self, name: str, file: str) -> Scope | None:
        """Return the names of such a module."""
        found = self.file(name, file)
        if found is not None and found not in self._known:
            try:
                source = Path(self._folder, found).read_bytes()
                self._known[found] = read_code(source, found).top
            except (OSError, SyntaxError, ValueError, RecursionError):
                self._known[found] = None
        return None if found is None else self._known[found]
