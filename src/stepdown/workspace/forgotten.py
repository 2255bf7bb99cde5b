"""`forgotten.json`: who was forgotten, by mark: logs read again pass over what is theirs."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from stepdown.core.fingerprint import canonical_json
from stepdown.errors import ArtefactError
from stepdown.workspace.files import locked, publish_file

__all__ = ["note_forgotten", "read_forgotten"]


def read_forgotten(path: Path) -> Mapping[str, float]:
    """Return the marks of those who were forgotten, each with the time of it.

    Raises:
        ArtefactError: the file is not what this module writes.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, float])
    except FileNotFoundError:
        return {}
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        # Read as nobody, all of them would be back.
        raise ArtefactError(
            f"{path.name} can't be read ({error}); restore it, or remove it and forget them again."
        ) from error


def note_forgotten(path: Path, mark: str, time: float) -> None:
    """Note that somebody is forgotten, up to that time."""
    with locked(path.with_name(".forgotten.lock")):
        publish_file(path, canonical_json({**read_forgotten(path), mark: time}))
