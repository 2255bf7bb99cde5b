"""The encoder family, frozen: heads on a small transformer's states, which are not trained.

Any BERT-like encoder will do (MiniLM, bge, e5); its products are quantised to int8 before a head is
fitted, so that heads learn from the very states that they will see.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from threadpoolctl import threadpool_limits

from stepdown.core.datasets import Example
from stepdown.core.ports import Progress, silent
from stepdown.core.tasks import Task
from stepdown.errors import Unavailable
from stepdown.students.encoder.student import EncoderStudent

__all__ = ["FAMILY", "EncoderFamily"]


class EncoderFamily(msgspec.Struct, frozen=True):
    """Trains, saves and loads students with a frozen encoder; `model` is what it starts from."""

    name: str = "encoder"
    parameters: int = 22_713_216
    model: str = "minilm-l6"

    def of(self, model: str = "", scratch: Path | None = None) -> "EncoderFamily":
        """Return the family that starts from another model; nothing is kept in `scratch`."""
        return msgspec.structs.replace(self, model=model) if model else self

    def train(
        self, task: Task, examples: Sequence[Example], progress: Progress = silent
    ) -> EncoderStudent:
        """Train on the examples, the same student for the same examples.

        Raises:
            NotEnoughData: too few examples, or answers that no head can write.
            Unavailable: the extra `encoder` or the model's weights are missing or damaged.
        """
        try:
            from stepdown.students.encoder.training import train_encoder
        except ImportError as error:
            raise Unavailable(
                f"The encoder family needs {error.name}; install stepdown[encoder]."
            ) from error
        with threadpool_limits(1):
            return train_encoder(task, examples, self.model, progress)

    def save(self, student: EncoderStudent, folder: Path) -> None:
        """Write the student's files, its encoder among them, into an existing empty folder."""
        from stepdown.students.encoder.files import save_encoder

        save_encoder(student, folder)

    def load(self, folder: Path, task: Task) -> EncoderStudent:
        """Load what `save` wrote.

        Raises:
            ArtefactError: a file is missing or is not what it has to be.
            Unavailable: the extra `encoder` is not installed.
        """
        from stepdown.students.encoder.files import load_encoder

        return load_encoder(folder, task)


FAMILY = EncoderFamily()
