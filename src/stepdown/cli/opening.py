"""Opening a published student: its family's, or one that is made of others."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stepdown import plugins
from stepdown.core.ports import Student
from stepdown.core.tasks import Task
from stepdown.errors import ArtefactError, StepdownError
from stepdown.render import say
from stepdown.students.backed import BACKED, load_backed
from stepdown.students.chain import CHAIN, load_chain
from stepdown.workspace import Workspace
from stepdown.workspace.artefacts import Manifest, verify_student
from stepdown.workspace.golden import GOLDEN_VERSION, deviation

__all__ = ["open_student"]


def open_student(workspace: Workspace, task: Task, student: str) -> Student:
    """Verify and load the student of that id.

    Raises:
        ArtefactError: it is missing, changed or unreadable, or says other things than where it was
            published.
    """
    folder = workspace.students(task.id) / student
    manifest = verify_student(folder)
    joined = _JOINED.get(manifest.family)
    try:
        opened: Any = (
            joined(folder, lambda link: open_student(workspace, task, link))
            if joined
            else plugins.family(manifest.family).load(folder, task)
        )
        odd = deviation(opened, manifest.golden) if _comparable(manifest) else ""
    except StepdownError:
        raise
    except Exception as error:  # whatever a file makes a reader raise, it is the file's fault
        raise ArtefactError(
            f"Student {manifest.id} can't be loaded ({type(error).__name__}); train it again with "
            "`stepdown train`."
        ) from error
    if odd:
        raise ArtefactError(
            f"Student {manifest.id} is refused: {odd}; train it again here with `stepdown train`."
        )
    opened.id = manifest.id
    return opened


def _comparable(manifest: Manifest) -> bool:
    """Say whether the golden outputs are in the form of now; print a note where they are not."""
    if manifest.golden and manifest.golden_version != GOLDEN_VERSION:
        say(
            f"Student {manifest.id} was published by another version of stepdown: whether it says "
            "the same on this machine is not checked; `stepdown train` makes it anew."
        )
        return False
    return True


_JOINED: Mapping[str, Callable[[Path, Callable[[str], Student]], Student]] = {
    CHAIN.name: load_chain,
    BACKED.name: load_backed,
}
"""What opens a student that is made of others, which it names."""
