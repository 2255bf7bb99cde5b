"""The generative family: a small language model, tuned on the teacher's answers, that writes.

For what no head can give: free text, and values that stand nowhere in the input. What is written is
constrained by grammars, closed choices are scored, and the whole has a calibrated confidence.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from stepdown.core.datasets import Example
from stepdown.core.digests import summary_of
from stepdown.core.filled import templates_of
from stepdown.core.ports import Progress, silent
from stepdown.core.tasks import Task
from stepdown.errors import Unavailable
from stepdown.students.generative.student import GenerativeStudent

__all__ = ["FAMILY", "GenerativeFamily"]


class GenerativeFamily(msgspec.Struct, frozen=True):
    """Trains, saves and loads generative students; `model` is what it starts from.

    `scratch` is where checkpoints are kept, None for nowhere.
    """

    name: str = "generative"
    parameters: int = 134_515_008
    model: str = "smollm2-135m-instruct"
    scratch: Path | None = None

    def of(self, model: str = "", scratch: Path | None = None) -> "GenerativeFamily":
        """Return the family that starts from another model, or keeps checkpoints in `scratch`."""
        return msgspec.structs.replace(
            self, model=model or self.model, scratch=scratch or self.scratch
        )

    def unsuited(self, task: Task) -> str:
        """Return why the climb passes the family over: nothing is there for it to write."""
        free = any(field.kind == "free" for field in task.anatomy.fields)
        if (free and not templates_of(task.anatomy)) or summary_of(task.anatomy) is not None:
            return ""
        return "not tried: no field is free text, and smaller rungs fill in the others"

    def train(
        self, task: Task, examples: Sequence[Example], progress: Progress = silent
    ) -> GenerativeStudent:
        """Train on the examples; what was cut off goes on from its last checkpoint.

        Raises:
            NotEnoughData: too few examples.
            Unavailable: the extra `generate`, weights or memory are missing.
        """
        try:
            from stepdown.students.generative.training import train_generative
        except ImportError as error:
            raise Unavailable(
                f"The generative family needs {error.name}; install stepdown[generate]."
            ) from error
        return train_generative(task, examples, self.model, self.scratch, progress)

    def save(self, student: GenerativeStudent, folder: Path) -> None:
        """Write the student's files, its model among them, into an existing empty folder."""
        from stepdown.students.generative.files import save_generative

        save_generative(student, folder)

    def load(self, folder: Path, task: Task) -> GenerativeStudent:
        """Load what `save` wrote.

        Raises:
            ArtefactError: a file is missing or is not what it has to be.
            Unavailable: the extra `generate` is not installed.
        """
        from stepdown.students.generative.files import load_generative

        return load_generative(folder, task)


FAMILY = GenerativeFamily()
