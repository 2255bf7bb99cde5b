"""What is swapped by entry point; the built-in ones use the same door."""

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast

from stepdown.core.ports import Engine, Family, LogFormat, ModelFamily, Provider
from stepdown.errors import PluginError

__all__ = [
    "KINDS",
    "engine",
    "families",
    "family",
    "ladder",
    "listed",
    "log_format",
    "log_formats",
    "provider",
]

KINDS = {
    "logs": "stepdown.logs",
    "students": "stepdown.students",
    "providers": "stepdown.providers",
    "engines": "stepdown.engines",
}
"""What can be added from outside, and the entry-point group of each."""


def listed(kind: str) -> list[EntryPoint]:
    """Return the plug-ins of one kind, sorted by name; nothing is imported."""
    return sorted(entry_points(group=KINDS[kind]), key=lambda point: point.name)


def log_formats() -> list[LogFormat]:
    """Load every log format, in order of name."""
    return [_load(point) for point in listed("logs")]


def families() -> list[str]:
    """Return the names of the student families."""
    return [point.name for point in listed("students")]


def ladder() -> list[Family]:
    """Load every student family, smallest first."""
    found: list[Family] = [_load(point) for point in listed("students")]
    return sorted(found, key=lambda family: (family.parameters, family.name))


def log_format(name: str) -> LogFormat:
    """Load the log format of that name.

    Raises:
        PluginError: there is none, or it can't be imported.
    """
    return _load(_named("logs", name, "log format"))


def family(name: str, scratch: Path | None = None) -> Family:
    """Load the student family of that name; "family:model" starts it from another model.

    `scratch` is where a family may keep checkpoints of a long training.

    Raises:
        PluginError: there is none, it can't be imported, or it starts from no model.
    """
    base, _, model = name.partition(":")
    found = _load(_named("students", base, "student family"))
    if hasattr(found, "of"):
        return cast("ModelFamily", found).of(model, scratch)
    if model:
        raise PluginError(f"The family {base!r} starts from no model; name it alone.")
    return found


def provider(name: str) -> Provider:
    """Load the provider of that name.

    Raises:
        PluginError: there is none, or it can't be imported.
    """
    return _load(_named("providers", name, "provider"))


def engine(name: str, workers: int | None = None) -> Engine:
    """Make the engine of that name, for so many workers where a number is asked for.

    Raises:
        PluginError: there is none, or it can't be imported.
    """
    return _load(_named("engines", name, "engine"))(workers)


def _named(kind: str, name: str, what: str) -> EntryPoint:
    points = {point.name: point for point in listed(kind)}
    if name not in points:
        raise PluginError(f"There is no {what} {name!r}; there are: {', '.join(points)}.")
    return points[name]


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"Plug-in {point.name!r} of {point.group} can't be loaded ({error}); "
            "reinstall the package it comes from."
        ) from error
