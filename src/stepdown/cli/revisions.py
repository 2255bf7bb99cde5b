"""A folder as it was at a revision of git's."""

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from stepdown.errors import InputError

__all__ = ["revision_of"]


@contextmanager
def revision_of(folder: Path, revision: str) -> Generator[Path]:
    """Give the folder's files at that revision, in a folder of their own for as long as it is used.

    Raises:
        InputError: git is not there, the folder is in no repository, or has no such revision.
    """
    if revision.startswith("-"):
        raise InputError(f"{revision!r} is no revision; give a commit, a branch or a tag.")
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryFile() as archive:
        try:
            top, prefix = _git(folder, "rev-parse", "--show-toplevel", "--show-prefix")[:2]
            tree = f"{revision}:{prefix.rstrip('/')}" if prefix else revision
            command = ["git", "-C", top, "archive", "--format=tar", tree]
            subprocess.run(command, stdout=archive, stderr=subprocess.PIPE, check=True)
        except FileNotFoundError as missing:
            raise InputError("--diff needs git, which is not installed.") from missing
        except subprocess.CalledProcessError as failed:
            told = failed.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason"]
            raise InputError(
                f"git has no {revision!r} of {folder} ({told[-1][:120]}); "
                "give a commit, a branch or a tag of its repository."
            ) from failed
        archive.seek(0)
        with tarfile.open(fileobj=archive) as files:
            _write_files(files, Path(name).resolve())
        yield Path(name)


def _write_files(files: tarfile.TarFile, folder: Path) -> None:
    """Write the archive's plain files below the folder, by hand: before Python 3.11.4 nothing else
    keeps links and names with `..` from leading out of it."""
    for member in files:
        path = Path(folder, member.name).resolve()
        content = files.extractfile(member) if member.isfile() else None
        if content is not None and path.is_relative_to(folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                shutil.copyfileobj(content, file)


def _git(folder: Path, *words: str) -> list[str]:
    command = ["git", "-C", str(folder), *words]
    run = subprocess.run(command, capture_output=True, check=True)
    return run.stdout.decode().split("\n")
