"""Publishing files so that a reader sees all of one or nothing (write, fsync, rename, fsync), and
reading them back.
"""

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from stepdown.errors import ArtefactError

__all__ = ["check_place", "locked", "publish_file", "publish_folder", "read_file"]

_TEMPORARY = ".tmp-"

T = TypeVar("T")


def read_file(path: Path, kind: type[T], remedy: str) -> T | None:
    """Return the value that was published at `path`, None where nothing was.

    Raises:
        ArtefactError: the file is nothing of that kind; `remedy` says what to do then.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ArtefactError(
            f"{path} can't be read ({reason}); check the path and its permissions."
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ArtefactError(f"{path.name} can't be read ({error}); {remedy}.") from error


def publish_file(path: Path, data: bytes | Iterable[bytes], mode: int = 0o600) -> None:
    """Put `data` at `path` in one step; whoever reads sees the old file or the new one whole."""
    temporary = path.with_name(f"{_TEMPORARY}{path.name}-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(descriptor, "wb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as problem:
        # A full disk names no path, and the temporary one says nothing to who reads of it.
        problem.filename, problem.filename2 = str(path), None
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def check_place(path: Path) -> None:
    """Raise OSError where nothing could be published at `path`, before the long work."""
    folder = next(above for above in path.absolute().parents if above.exists())
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def publish_folder(parent: Path, fill: Callable[[Path], str]) -> Path:
    """Make a folder in `parent` in one step and return its path.

    `fill` writes the files into an empty temporary folder and returns the name that the folder is
    to have. In a folder of that name each file is replaced, in one step each: names are content
    hashes, so what they are about is the same, or was damaged.
    """
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _collect_garbage(parent)
    temporary = parent / f"{_TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}"
    temporary.mkdir(mode=0o700)
    try:
        name = fill(temporary)
        for file in temporary.iterdir():
            with open(file, "rb") as handle:
                os.fsync(handle.fileno())
        _sync_folder(temporary)
        target = parent / name
        if target.exists():
            for file in temporary.iterdir():
                file.replace(target / file.name)
            _sync_folder(target)
            # Made again, it is the newest again.
            os.utime(target)
        else:
            temporary.rename(target)
        _sync_folder(parent)
        return target
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold the advisory lock of `path` (made if missing); another process waits for it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _collect_garbage(parent: Path) -> None:
    """Remove what a killed process of ours left; a live process's folder stays."""
    for left in parent.glob(f"{_TEMPORARY}*-*"):
        pid = left.name.removeprefix(_TEMPORARY).split("-")[0]
        if left.is_dir() and pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(left, ignore_errors=True)
