"""A student with a encoder: a linear student whose text is seen through it."""

from collections.abc import Mapping

from stepdown.core.ports import Prediction, Rehearsed
from stepdown.core.tasks import Input
from stepdown.students.encoder.look import EncoderLook
from stepdown.students.linear.student import LinearStudent

__all__ = ["EncoderStudent"]

_UNSOUND = "The encoder gave a number that is not finite."


class EncoderStudent:
    """Heads on an encoder's states; one forward pass of it fills every field.

    `rehearsed` is there after training alone.
    """

    def __init__(self, inner: LinearStudent, look: EncoderLook) -> None:
        self.id = ""
        self.family = "encoder"
        self.inner = inner
        self.look = look
        self.rehearsed: Mapping[str, Rehearsed] = inner.rehearsed

    def predict(self, given: Input) -> Prediction:
        """Answer one input."""
        try:
            return self.inner.predict(given)
        except FloatingPointError:
            return Prediction({}, None, 0.0, abstained=_UNSOUND)
