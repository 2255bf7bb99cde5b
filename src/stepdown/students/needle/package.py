"""Where Needle's own package and its engine are, and how its processes are started.

The package is never imported here: its commands and its engine run in processes of their own, with
its telemetry off.
"""

import os
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from stepdown.errors import Unavailable

__all__ = ["LIBRARY", "command", "engine_path", "quiet", "worker_command"]

LIBRARY = "NEEDLE3_LIB_PATH"
"""The environment variable that names the engine's library; the package's own."""

_ENTRY = "from needle.cli import main; main()"


def _installed(name: str) -> Path:
    """Return a file of the package."""
    try:
        found = distribution("cactus-needle")
    except PackageNotFoundError as error:
        raise Unavailable(
            "The needle family needs cactus-needle; install stepdown[needle]."
        ) from error
    return Path(str(found.locate_file(name)))


def command(*arguments: str) -> list[str]:
    """Return the command line of one of the package's own commands.

    Raises:
        Unavailable: the extra `needle` is not installed.
    """
    _installed("needle/cli.py")
    return [sys.executable, "-c", _ENTRY, *arguments]


def worker_command() -> list[str]:
    """Return the command line of the process that holds the engine.

    Raises:
        Unavailable: the extra `needle` is not installed.
    """
    return [sys.executable, str(_installed("needle/_worker.py")), "--child"]


def engine_path() -> Path:
    """Return the engine's library, which is published beside the weights and not in the package.

    Raises:
        Unavailable: it is not here; the sentence says what to fetch.
    """
    named = os.environ.get(LIBRARY, "")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise Unavailable(f"{LIBRARY} names {named}, which is not there; run `needle fetch`.")
        return path
    folder = _installed("needle")
    cache = Path.home() / ".cache" / "cactus-needle" / "v3"
    places = [*folder.glob("libneedle3.*"), *sorted(cache.glob("*/libneedle.*"), reverse=True)]
    if not places:
        raise Unavailable(
            "Needle's engine is not here; fetch it with `needle fetch`, or set "
            f"{LIBRARY} to where it is."
        )
    return places[0]


def quiet() -> dict[str, str]:
    """Return the environment for Needle's processes: as it is, with telemetry off."""
    return {**os.environ, "NEEDLE_TELEMETRY": "0", "DO_NOT_TRACK": "1"}
