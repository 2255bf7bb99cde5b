"""`ceiling.json`: how often a task's teacher agreed with itself when it was asked again."""

from pathlib import Path

from stepdown.core.fingerprint import canonical_json
from stepdown.core.proofs import Ceiling
from stepdown.workspace.files import publish_file, read_file

__all__ = ["publish_ceiling", "read_ceiling"]


def read_ceiling(path: Path) -> Ceiling | None:
    """Return the ceiling at `path`, None where it was not measured.

    Raises:
        ArtefactError: the file is not what this module writes.
    """
    remedy = f"remove tasks/{path.parent.name}/{path.name} and measure again with `stepdown label "
    return read_file(path, Ceiling, remedy + "TASK --repeats 1`")


def publish_ceiling(path: Path, ceiling: Ceiling) -> None:
    """Put the ceiling at `path`, in place of an earlier one."""
    publish_file(path, canonical_json(ceiling))
