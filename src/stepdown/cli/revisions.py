"""A folder as it was at a revision of git's."""

import os
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

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
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryFile() as contents:
        try:
            places = _git(folder, "rev-parse", "--show-toplevel", "--show-prefix")
            top, prefix = places.split("\n")[:2]
            tree = f"{revision}:{prefix.rstrip('/')}" if prefix else revision
            # Not `git archive`, which leaves out what `export-ignore` keeps from packages alone.
            files = _files(_git(top, "ls-tree", "-r", "-z", "--full-tree", tree))
            subprocess.run(
                ["git", "-C", top, "cat-file", "--batch"],
                input="".join(f"{blob}\n" for _, blob in files).encode(),
                stdout=contents,
                stderr=subprocess.PIPE,
                check=True,
            )
        except FileNotFoundError as missing:
            raise InputError("--diff needs git, which is not installed.") from missing
        except subprocess.CalledProcessError as failed:
            told = failed.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason"]
            raise InputError(
                f"git has no {revision!r} of {folder} ({told[-1][:120]}); "
                "give a commit, a branch or a tag of its repository."
            ) from failed
        contents.seek(0)
        for path, _ in files:
            _write(contents, Path(name).resolve(), path)
        yield Path(name)


def _files(listing: str) -> list[tuple[str, str]]:
    """Return path and content's id of each plain file: no links, no other repositories."""
    entries = (entry.partition("\t") for entry in listing.split("\0") if entry.startswith("100"))
    return [(path, told.split()[2]) for told, _, path in entries]


def _write(contents: IO[bytes], folder: Path, name: str) -> None:
    """Write the next content below the folder; a made-up tree's `..` must not lead out of it."""
    told = contents.readline().split()
    if len(told) < 3:
        return  # "… missing": a clone without its contents
    content = contents.read(int(told[2]))
    contents.readline()
    path = Path(folder, name).resolve()
    if path.is_relative_to(folder):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _git(folder: Path | str, *words: str) -> str:
    run = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=True)
    return os.fsdecode(run.stdout)
