"""The encoder family, fine-tuned: the whole encoder learns the task, all heads jointly.

Any Hugging Face encoder will do (MiniLM, DistilBERT, DeBERTa-v3, ModernBERT). Training needs torch;
what is saved is a frozen encoder's student around another graph, and needs the extra `encoder`.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from stepdown.core.datasets import Example
from stepdown.core.ports import Progress, silent
from stepdown.core.tasks import Task
from stepdown.errors import Unavailable
from stepdown.students.encoder.student import EncoderStudent

__all__ = ["FAMILY", "TunedFamily"]

_NAME = "encoder-tuned"


class TunedFamily(msgspec.Struct, frozen=True):
    """Trains, saves and loads students with a fine-tuned encoder; `model` is what it starts from.

    `parameters` is one more than the frozen family's: the same model, and more to train.
    `scratch` is where checkpoints are kept, None for nowhere.
    """

    name: str = _NAME
    parameters: int = 22_713_217
    model: str = "minilm-l6"
    scratch: Path | None = None

    def of(self, model: str = "", scratch: Path | None = None) -> "TunedFamily":
        """Return the family that starts from another model, or keeps checkpoints in `scratch`."""
        return msgspec.structs.replace(
            self, model=model or self.model, scratch=scratch or self.scratch
        )

    def train(
        self, task: Task, examples: Sequence[Example], progress: Progress = silent
    ) -> EncoderStudent:
        """Train on the examples; what was cut off goes on from its last checkpoint.

        Raises:
            NotEnoughData: too few examples, or answers that no head can write.
            Unavailable: the extra `train`, weights, memory or the device are missing.
        """
        try:
            from stepdown.students.tuned.training import train_tuned
        except ImportError as error:
            raise Unavailable(
                f"Fine-tuning needs {error.name}; install stepdown[train]."
            ) from error
        made = train_tuned(task, examples, self.model, self.scratch, progress)
        made.family = self.name
        return made

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

        made = load_encoder(folder, task)
        made.family = self.name
        return made


FAMILY = TunedFamily()
