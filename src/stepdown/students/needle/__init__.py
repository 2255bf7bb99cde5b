"""The Needle family: the open tool-calling model, tuned and built by its own package.

Its engine runs in a process of its own, its telemetry is off, and its calls are believed by a
confidence that is fitted here, since local fine-tuning voids the published one.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from stepdown.core.datasets import Example
from stepdown.core.ports import Progress, silent
from stepdown.core.tasks import Task
from stepdown.students.needle.files import load_needle, save_needle
from stepdown.students.needle.student import NeedleStudent
from stepdown.students.needle.training import train_needle
from stepdown.students.needle.tuning import NeedleSettings

__all__ = ["FAMILY", "NeedleFamily"]


class NeedleFamily(msgspec.Struct, frozen=True):
    """Trains, saves and loads Needle students; `settings` name the checkpoint to start from.

    `scratch` is where the adapter is kept, None for nowhere.
    """

    name: str = "needle"
    parameters: int = 121_000_000
    settings: NeedleSettings = NeedleSettings()
    scratch: Path | None = None

    def of(self, model: str = "", scratch: Path | None = None) -> "NeedleFamily":
        """Return the family that starts from another checkpoint, or keeps its adapter."""
        settings = msgspec.structs.replace(self.settings, checkpoint=model)
        return msgspec.structs.replace(self, settings=settings, scratch=scratch or self.scratch)

    def unsuited(self, task: Task) -> str:
        """Return why the climb passes the family over: it calls tools and nothing else."""
        return "" if task.anatomy.shape == "tool" else "not tried: it only calls tools"

    def train(
        self, task: Task, examples: Sequence[Example], progress: Progress = silent
    ) -> NeedleStudent:
        """Train on the examples.

        Raises:
            NotEnoughData: too few examples, or a task without tools.
            Unavailable: the extra `needle`, its engine or its weights are missing.
        """
        return train_needle(task, examples, self.settings, self.scratch, progress)

    def save(self, student: NeedleStudent, folder: Path) -> None:
        """Write the student's files into an existing empty folder."""
        save_needle(student, folder)

    def load(self, folder: Path, task: Task) -> NeedleStudent:
        """Load what `save` wrote.

        Raises:
            ArtefactError: a file is missing or is not what it has to be.
            Unavailable: the extra `needle` or its engine is not here.
        """
        return load_needle(folder, task)


FAMILY = NeedleFamily()
