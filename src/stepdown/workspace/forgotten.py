"""`forgotten.json`: who was forgotten, by mark: logs read again pass over what is theirs."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from stepdown.core.fingerprint import canonical_json
from stepdown.workspace.files import locked, publish_file, read_file

__all__ = ["Forgotten", "note_forgotten", "read_forgotten"]


class Forgotten(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The marks of those who were forgotten, each with the time of it, and by its id each student
    that learnt from rows which were taken out since, with how many."""

    people: Mapping[str, float] = {}
    students: Mapping[str, int] = {}


def read_forgotten(path: Path) -> Forgotten:
    """Return what is noted at `path`; without the file nobody is forgotten.

    Raises:
        ArtefactError: the file is not what this module writes.
    """
    # Where a damaged file was read as nobody, all of them would be back.
    remedy = "restore it, or remove it and forget them again"
    return read_file(path, Forgotten, remedy) or Forgotten()


def note_forgotten(
    path: Path, people: Mapping[str, float] | None = None, students: Mapping[str, int] | None = None
) -> Forgotten:
    """Note that people are forgotten, up to those times, and students that learnt from rows which
    are gone; returns all that is noted."""
    with locked(path.with_name(".forgotten.lock")):
        old = read_forgotten(path)
        new = Forgotten({**old.people, **(people or {})}, {**old.students, **(students or {})})
        if new != old:
            publish_file(path, canonical_json(new))
        return new
