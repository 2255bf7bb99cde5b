"""How a command ends that can't go on: one sentence, one JSON object, and an exit status."""

import contextlib
import errno
import json
import os
import sys

from stepdown.errors import InputError, StepdownError

__all__ = ["UNREAD", "of_system", "refuse", "stop_output"]

UNREAD = 141
"""The exit status where nobody reads on: what a shell gives who is ended by a closed pipe."""

_REMEDIES = {
    errno.ENOSPC: "make room there, or give another path",
    errno.EDQUOT: "make room there, or give another path",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EROFS: "give a path that can be written to",
    errno.ENOTDIR: "give a path that leads through folders alone",
    errno.ENAMETOOLONG: "give a shorter path",
}


def refuse(error: StepdownError, as_json: bool) -> int:
    """Say what went wrong on stderr, with `as_json` as an object on stdout too; return the status.

    Where that can't be written either, the status alone tells.
    """
    name, message = type(error).__name__, str(error)
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"stepdown: {message}\n")
        sys.stderr.flush()
    if as_json:
        told = {"error": {"type": name, "message": message}}
        try:
            sys.stdout.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            stop_output()
    return error.exit_status


def of_system(problem: OSError) -> InputError:
    """Return what the system refused as one sentence: the path, the cause and what to do."""
    path = problem.filename2 or problem.filename
    where = os.fsdecode(path) if isinstance(path, str | bytes) else ""
    reason = problem.strerror or str(problem) or type(problem).__name__
    remedy = _REMEDIES.get(problem.errno or 0, "check the path and its permissions")
    if not where and _is_stuck():
        where, remedy = "The output", "send it to a file or device that takes it"
    return InputError(f"{where or 'A file'} can't be used ({reason.lower()}); {remedy}.")


def _is_stuck() -> bool:
    """Say whether it is stdout that can't be written; what it still holds is dropped then.

    A line more does no harm: all else that is printed after it is the object that tells the error.
    """
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        stop_output()
        return True
    return False


def stop_output() -> None:
    """Let what stdout still holds go nowhere, so that it is not tried again when Python ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
