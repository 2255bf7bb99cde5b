"""`ceiling.json`: how often a task's teacher agreed with itself when it was asked again."""

from pathlib import Path

import msgspec

from stepdown.core.fingerprint import canonical_json
from stepdown.core.proofs import Ceiling
from stepdown.errors import ArtefactError
from stepdown.workspace.files import publish_file

__all__ = ["publish_ceiling", "read_ceiling"]


def read_ceiling(path: Path) -> Ceiling | None:
    """Return the ceiling at `path`, None where it was not measured.

    Raises:
        ArtefactError: the file is not what this module writes.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Ceiling)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ArtefactError(
            f"{path.name} of task {path.parent.name} can't be read ({error}); remove it and measure"
            " again with `stepdown label TASK --repeats 1`."
        ) from error


def publish_ceiling(path: Path, ceiling: Ceiling) -> None:
    """Put the ceiling at `path`, in place of an earlier one."""
    publish_file(path, canonical_json(ceiling))
