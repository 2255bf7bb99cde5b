"""A scan of a team's code: every place where a language model is called, in Python and JavaScript.

Files are read and parsed, never imported or run. What is only installed beside the code (packages,
build output) is left out.
"""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from stepdown.core.ports import Progress, silent
from stepdown.core.sites import CallSite
from stepdown.errors import InputError, Unavailable
from stepdown.scan.javascript import javascript_sites
from stepdown.scan.javascript_modules import Modules
from stepdown.scan.modules import PythonModules, imported
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
_HANDED_ON = 3
_MARKS = (
    *(b"openai", b"anthropic", b"genai", b"generativeai", b"generative_models", b"litellm"),
    *(b"langchain", b"langgraph", b"instructor", b"pydantic_ai", b"dspy"),
    *(b"chat.completions", b"responses.", b"messages.", b"generate_content", b"generateContent"),
    *(b"generateText", b"generateObject", b"streamText", b"streamObject"),
)
"""A file without any of these, or an import of one with them, calls no model: it isn't parsed."""
_SCRIPT_MARKS = (*_MARKS, b".invoke(", b".stream(")
"""JavaScript's imports are told by parsing alone, and a client may be another file's."""


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
    names = [path.relative_to(folder).as_posix() for path in paths]
    python, scripts = PythonModules(folder, names), Modules(folder, paths)
    sites: list[CallSite] = []
    unread: dict[str, str] = {}
    lines, chosen = _chosen(folder, names, python, unread)
    without_grammar = 0
    for done, name in enumerate(chosen):
        progress("scanning", done, len(chosen))
        try:
            data = Path(folder, name).read_bytes()
            if name.endswith(".py"):
                sites += _python(data, name, python)
            else:
                sites += javascript_sites(data, name, SUFFIXES[Path(name).suffix], scripts)
        except Unavailable:
            without_grammar += 1
        except (OSError, SyntaxError, ValueError, RecursionError) as problem:
            unread[name] = type(problem).__name__
    progress("scanning", len(chosen), len(chosen))
    notes = ()
    if without_grammar:
        notes = (
            f"{without_grammar} JavaScript and TypeScript files were not read; "
            "pip install 'stepdown[code]' reads them.",
        )
    return Scan(tuple(sites), len(paths), lines, unread, notes)


def _chosen(
    folder: Path, names: Sequence[str], modules: PythonModules, unread: dict[str, str]
) -> tuple[int, list[str]]:
    """Return the lines of all files, and the files that may call a model."""
    lines = 0
    marked: set[str] = set()
    imports: dict[str, list[str]] = {}
    for name in names:
        try:
            data = Path(folder, name).read_bytes()
        except OSError as problem:
            unread[name] = type(problem).__name__
            continue
        lines += data.count(b"\n")
        is_python = name.endswith(".py")
        if any(mark in data for mark in (_MARKS if is_python else _SCRIPT_MARKS)):
            marked.add(name)
        elif is_python:
            imports[name] = [*imported(data)]
    for _ in range(_HANDED_ON):
        # What a package's `__init__` imports, it hands on to those that import the package.
        packages = {name: told for name, told in imports.items() if name.endswith("__init__.py")}
        marked |= _importing(marked, packages, modules)
    marked |= _importing(marked, imports, modules)
    return lines, [name for name in names if name in marked]


def _importing(
    marked: set[str], imports: Mapping[str, list[str]], modules: PythonModules
) -> set[str]:
    return {
        name
        for name, told in imports.items()
        if any(modules.file(module, name) in marked for module in told)
    }


def _python(data: bytes, name: str, modules: PythonModules) -> list[CallSite]:
    with warnings.catch_warnings():
        # The code's own slips, such as an odd escape, are not ours to tell.
        warnings.simplefilter("ignore")
        return python_sites(data, name, modules)


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
