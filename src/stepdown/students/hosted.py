"""A hosted model weighed like a student: what it answered to the rows that it was asked.

It is no artefact and serves nothing: it lets the same proof say whether a cheaper model behind an
API would do, without any training.
"""

from collections.abc import Mapping

from stepdown.core.ports import Prediction
from stepdown.core.tasks import Input, input_text

__all__ = ["HostedStudent"]

_NOT_ASKED = Prediction({}, None, 0.0, abstained="The hosted model was not asked this.")


class HostedStudent:
    """Repeats a hosted model's answers; an input that it was not asked is an abstention."""

    family = "hosted"

    def __init__(self, model: str, answers: Mapping[Input, Prediction]) -> None:
        self.id = model
        self._answers = {input_text(given): said for given, said in answers.items()}

    def predict(self, given: Input) -> Prediction:
        """Return what the hosted model answered to this input."""
        return self._answers.get(input_text(given), _NOT_ASKED)
