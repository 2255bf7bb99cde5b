"""The linear family: n-gram and static-vector classifiers, span models, no neural network."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from threadpoolctl import threadpool_limits

from stepdown.core.datasets import Example
from stepdown.core.filled import templates_of
from stepdown.core.ports import Progress, silent
from stepdown.core.tasks import Task
from stepdown.students.linear.files import load_linear, save_linear
from stepdown.students.linear.filled import FilledStudent, load_filled, save_filled, train_filled
from stepdown.students.linear.student import LinearStudent
from stepdown.students.linear.training import train_linear
from stepdown.students.static import find_static

__all__ = ["FAMILY", "LinearFamily"]


class LinearFamily(msgspec.Struct, frozen=True):
    """Trains, saves and loads linear students; `static` says to use static vectors if installed."""

    name: str = "linear"
    parameters: int = 0
    static: bool = True

    def train(
        self, task: Task, examples: Sequence[Example], progress: Progress = silent
    ) -> LinearStudent | FilledStudent:
        """Train on the examples, the same student for the same examples.

        Raises:
            NotEnoughData: too few examples, or answers that this family can't write.
        """
        static = find_static() if self.static else None
        # Heads train side by side; BLAS and OpenMP threads under each would only fight for cores.
        with threadpool_limits(1):
            if templates_of(task.anatomy):
                return train_filled(task, examples, static, progress)
            return train_linear(task, examples, static, progress)

    def save(self, student: LinearStudent | FilledStudent, folder: Path) -> None:
        """Write the student's files into an existing empty folder."""
        if isinstance(student, FilledStudent):
            save_filled(student, folder)
        else:
            save_linear(student, folder)

    def load(self, folder: Path, task: Task) -> LinearStudent | FilledStudent:
        """Load what `save` wrote.

        Raises:
            ArtefactError: a file is missing or is not what it has to be.
        """
        return load_filled(folder, task) or load_linear(folder, task)


FAMILY = LinearFamily()
