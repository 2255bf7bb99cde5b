"""The linear family: n-gram and static-vector classifiers, span models, no neural network."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from stepdown.core.datasets import Example
from stepdown.core.digests import summary_of
from stepdown.core.filled import templates_of
from stepdown.core.ports import Progress, silent
from stepdown.core.tasks import Task
from stepdown.students.extractive import ExtractiveStudent, load_extractive, save_extractive
from stepdown.students.linear.files import load_linear, save_linear
from stepdown.students.linear.filled import FilledStudent, load_filled, save_filled, train_filled
from stepdown.students.linear.student import LinearStudent
from stepdown.students.static import find_static

__all__ = ["FAMILY", "LinearFamily"]

LinearKind = LinearStudent | FilledStudent | ExtractiveStudent


class LinearFamily(msgspec.Struct, frozen=True):
    """Trains, saves and loads linear students; `static` says to use static vectors if installed."""

    name: str = "linear"
    parameters: int = 0
    static: bool = True

    def train(
        self, task: Task, examples: Sequence[Example], progress: Progress = silent
    ) -> LinearKind:
        """Train on the examples, the same student for the same examples.

        Raises:
            NotEnoughData: too few examples, or answers that this family can't write.
        """
        # Training loads what serving should not wait for.
        from threadpoolctl import threadpool_limits

        from stepdown.students.extractive.training import train_extractive
        from stepdown.students.linear.training import train_linear

        static = find_static() if self.static else None
        # Heads train side by side; BLAS and OpenMP threads under each would only fight for cores.
        with threadpool_limits(1):
            if summary_of(task.anatomy) is not None:
                return train_extractive(task, examples, progress)
            if templates_of(task.anatomy):
                return train_filled(task, examples, static, progress)
            return train_linear(task, examples, static, progress)

    def save(self, student: LinearKind, folder: Path) -> None:
        """Write the student's files into an existing empty folder."""
        if isinstance(student, ExtractiveStudent):
            save_extractive(student, folder)
        elif isinstance(student, FilledStudent):
            save_filled(student, folder)
        else:
            save_linear(student, folder)

    def load(self, folder: Path, task: Task) -> LinearKind:
        """Load what `save` wrote.

        Raises:
            ArtefactError: a file is missing or is not what it has to be.
        """
        return (
            load_extractive(folder, task) or load_filled(folder, task) or load_linear(folder, task)
        )


FAMILY = LinearFamily()
