"""`columns.json`: which field of a log tells what, where its names are the team's own."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from stepdown.core.fingerprint import canonical_json
from stepdown.workspace.files import locked, publish_file, read_file

__all__ = ["Columns", "note_columns", "read_columns"]

Columns = dict[str, dict[str, str]]
"""For a source as it was audited: field → where it stands in a line."""


def read_columns(path: Path) -> Columns:
    """Return what is noted at `path`; nothing yet is nothing.

    Raises:
        ArtefactError: the file is not what this module writes.
    """
    return read_file(path, Columns, "remove it and audit the log again") or {}


def note_columns(path: Path, sources: Sequence[str], columns: Mapping[str, str]) -> None:
    """Note the columns of the sources, in place of what was noted of them before."""
    if not columns and not path.exists():
        return
    with locked(path.with_name(".columns.lock")):
        noted = read_columns(path)
        for source in sources:
            noted.pop(source, None)
            if columns:
                noted[source] = dict(columns)
        publish_file(path, canonical_json(noted))
