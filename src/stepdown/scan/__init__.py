"""A scan of a team's code: every place where a language model is called, in Python and JavaScript.

Files are read and parsed, never imported or run. What is only installed beside the code (packages,
build output) is left out.
"""

import ast
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from stepdown.core.ports import Progress, silent
from stepdown.core.sites import CallSite
from stepdown.errors import InputError, Unavailable
from stepdown.scan.javascript import javascript_sites
from stepdown.scan.javascript_modules import Modules
from stepdown.scan.python import python_sites
from stepdown.scan.syntax import SUFFIXES

__all__ = ["Scan", "scan_code"]

_SKIPPED = frozenset(
    (
        *("node_modules", "site-packages", "dist", "build", "__pycache__", "venv", "env"),
        *("vendor", "target", "coverage"),
    )
)
_LARGEST = 2 * 1024 * 1024
_MARKS = (
    *(b"openai", b"anthropic", b"genai", b"generativeai", b"generative_models", b"litellm"),
    *(b"langchain", b"langgraph", b"instructor", b"pydantic_ai", b"dspy"),
    *(b"chat.completions", b"responses.", b"messages.", b"generate_content", b"generateContent"),
    *(b"generateText", b"generateObject", b"streamText", b"streamObject"),
    # A client may be made in another file.
    *(b".invoke(", b".stream("),
)
"""A file without any of these calls no model: it is not parsed."""


class Scan(msgspec.Struct, frozen=True):
    """What was found; `unread` says of each file that could not be read why, `notes` of others."""

    sites: tuple[CallSite, ...]
    files: int
    lines: int
    unread: dict[str, str] = {}
    notes: tuple[str, ...] = ()


def scan_code(folder: Path, progress: Progress = silent) -> Scan:
    """Scan the code below a folder; the same code gives the same sites in the same order.

    Raises:
        InputError: there is no such folder, or no code in it.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}; name the code's folder with --code DIR.")
    paths = sorted(_files(folder))
    if not paths:
        raise InputError(f"{folder} has no Python, JavaScript or TypeScript files.")
    constants = _Constants(folder, paths)
    modules = Modules(folder, paths)
    sites: list[CallSite] = []
    unread: dict[str, str] = {}
    lines, without_grammar = 0, 0
    for done, path in enumerate(paths):
        progress("scanning", done, len(paths))
        name = path.relative_to(folder).as_posix()
        try:
            data = path.read_bytes()
            lines += data.count(b"\n")
            if any(mark in data for mark in _MARKS):
                if path.suffix == ".py":
                    sites += _python(data, name, constants)
                else:
                    sites += javascript_sites(data, name, SUFFIXES[path.suffix], modules)
        except Unavailable:
            without_grammar += 1
        except (OSError, SyntaxError, ValueError, RecursionError) as problem:
            unread[name] = type(problem).__name__
    progress("scanning", len(paths), len(paths))
    notes = ()
    if without_grammar:
        notes = (
            f"{without_grammar} JavaScript and TypeScript files were not read; "
            "pip install 'stepdown[code]' reads them.",
        )
    return Scan(tuple(sites), len(paths), lines, unread, notes)


def _python(data: bytes, name: str, constants: Callable[[str], ast.expr | None]) -> list[CallSite]:
    with warnings.catch_warnings():
        # The code's own slips, such as an odd escape, are not ours to tell.
        warnings.simplefilter("ignore")
        return python_sites(data.decode("utf-8-sig"), name, constants)


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [n for n in folders if n not in _SKIPPED and not n.startswith(".")]
        for name in names:
            path = Path(root, name)
            known = path.suffix == ".py" or path.suffix in SUFFIXES
            if known and not name.endswith(".min.js") and _size(path) <= _LARGEST:
                yield path


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else _LARGEST + 1
    except OSError:
        return _LARGEST + 1


class _Constants:
    """What names of other Python files are set to, parsed when they are asked for."""

    def __init__(self, folder: Path, paths: list[Path]) -> None:
        self._modules: dict[str, Path] = {}
        for path in paths:
            if path.suffix == ".py":
                parts = path.relative_to(folder).with_suffix("").parts
                parts = parts[:-1] if parts[-1] == "__init__" else parts
                # A package may be installed from any folder of the code: `src`, `lib`, ….
                for start in range(len(parts)):
                    self._modules.setdefault(".".join(parts[start:]), path)
        self._known: dict[Path, dict[str, ast.expr]] = {}

    def __call__(self, name: str) -> ast.expr | None:
        module, _, last = name.rpartition(".")
        path = self._modules.get(module)
        if path is None:
            return None
        if path not in self._known:
            self._known[path] = _constants(path)
        return self._known[path].get(last)


def _constants(path: Path) -> dict[str, ast.expr]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return {}
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = node.value
    return found
