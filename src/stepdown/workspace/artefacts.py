"""Student artefacts: folders named by content, their manifest checked before anything is parsed.

The manifest lists every file with its size and SHA-256 and states the contract that the student was
trained under. A file that is missing, changed, extra or not a plain file refuses the whole folder.
"""

import stat
from pathlib import Path
from typing import Any, Protocol

import msgspec

from stepdown.core.fingerprint import canonical_json, digest, fingerprint
from stepdown.core.ports import Student
from stepdown.errors import ArtefactError
from stepdown.workspace.files import publish_folder
from stepdown.workspace.golden import Golden

__all__ = ["FileEntry", "Manifest", "Saver", "publish_student", "read_manifest", "verify_student"]

_MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES = 1024 * 1024
_NO_PART_OF_ID = frozenset(("id", "made_at", "training", "seal", "golden", "golden_version"))


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a student; `bytes` is its size."""

    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a student folder holds and what it was trained under.

    `id` is the fingerprint of everything else but `made_at`, `training`, `seal` and `golden`: the
    same files under the same contract are the same student. `training` records rows, seconds, peak
    memory and which `try` it was; `seal` is the hash of the whole manifest without it ("" before
    there were seals). `candidates` is how many students were weighed on the same calibration rows,
    this one among them: they share the probability with which a certificate may be wrong, and
    `share` is its part (0: all have the same). `golden` is what the student said where it was
    published, in the form of `golden_version` (0: one before there were versions).
    """

    id: str
    family: str
    task: str
    dataset: str
    contract: dict[str, Any]
    files: tuple[FileEntry, ...]
    made_at: str
    training: dict[str, Any] = {}
    candidates: int = 1
    share: float = 0.0
    golden: tuple[Golden, ...] = ()
    golden_version: int = 0
    seal: str = ""

    @property
    def size_bytes(self) -> int:
        """The size of all files together."""
        return sum(entry.bytes for entry in self.files)


class Saver(Protocol):
    """What writes a student's files: a family, or what joins several students."""

    @property
    def name(self) -> str:
        """The family's name."""
        ...

    def save(self, student: Any, folder: Path) -> None:
        """Write the student's files (no manifest) into an existing empty folder."""
        ...


def publish_student(
    parent: Path, family: Saver, student: Student, draft: dict[str, Any]
) -> tuple[Path, Manifest]:
    """Save `student` as `parent/<id>/` in one step; a folder of that id gets the files made now.

    `draft` holds the manifest's fields but `id`, `family` and `files`.
    """
    made: list[Manifest] = []

    def fill(folder: Path) -> str:
        family.save(student, folder)
        files = tuple(_entry(path) for path in sorted(folder.iterdir()))
        bare = Manifest(id="", family=family.name, files=files, **draft)
        manifest = _sealed(msgspec.structs.replace(bare, id=_identity(bare)))
        (folder / _MANIFEST).write_bytes(canonical_json(manifest))
        for path in folder.iterdir():
            path.chmod(0o600)
        made.append(manifest)
        return manifest.id

    return publish_folder(parent, fill), made[0]


def verify_student(folder: Path) -> Manifest:
    """Check every byte of a student folder against its manifest and return the manifest.

    Raises:
        ArtefactError: a file is missing, changed, extra, or not a plain file; or the manifest is.
    """
    # A route or another student names the folder: a name that leads elsewhere is no student's.
    if not folder.name.isalnum() or folder.is_symlink():
        raise _changed(folder, "there is no student of that name")
    manifest = read_manifest(folder)
    if manifest.id != _identity(manifest) or folder.name != manifest.id:
        raise _changed(folder, "its manifest is not the one it was published with")
    expected = {entry.name: entry for entry in manifest.files}
    found = {path.name for path in folder.iterdir()} - {_MANIFEST}
    if found != set(expected):
        odd = sorted(found ^ set(expected))
        raise _changed(folder, f"{odd[0]!r} is missing or should not be there")
    for name, entry in expected.items():
        path = folder / name
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise _changed(folder, f"{name!r} is a link, not a plain file")
        if status.st_size != entry.bytes or digest(path.read_bytes()) != entry.sha256:
            raise _changed(folder, f"{name!r} is not the file that was published")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest as it stands there; `verify_student` says whether it is true.

    Raises:
        ArtefactError: there is none, or it is no manifest.
    """
    path = folder / _MANIFEST
    try:
        status = path.lstat()
        plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
        if not plain or status.st_size > _MAX_MANIFEST_BYTES:
            raise _changed(folder, "its manifest is a link or too large")
        data = path.read_bytes()
        manifest = msgspec.json.decode(data, type=Manifest)
        if data != canonical_json(manifest) or manifest.seal not in ("", _sealed(manifest).seal):
            raise _changed(folder, "its manifest is not as it was written")
        return manifest
    except OSError as error:
        raise _changed(folder, f"its manifest can't be read ({error.strerror})") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _changed(folder, "its manifest is not a student's manifest") from error


def _entry(path: Path) -> FileEntry:
    data = path.read_bytes()
    return FileEntry(path.name, len(data), digest(data))


def _identity(manifest: Manifest) -> str:
    facts = msgspec.to_builtins(manifest)
    return fingerprint({k: v for k, v in facts.items() if k not in _NO_PART_OF_ID})


def _sealed(manifest: Manifest) -> Manifest:
    bare = msgspec.structs.replace(manifest, seal="")
    return msgspec.structs.replace(bare, seal=digest(canonical_json(bare)))


def _changed(folder: Path, what: str) -> ArtefactError:
    return ArtefactError(
        f"Student {folder.name} is refused: {what}; train it again with `stepdown train`."
    )
