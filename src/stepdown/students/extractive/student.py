"""An extractive student: it answers with sentences of the input."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from stepdown.core.calls import Answer
from stepdown.core.digests import Limits
from stepdown.core.ports import Prediction, Rehearsed
from stepdown.core.tasks import Input, input_text
from stepdown.students.extractive.picking import Rule, pick
from stepdown.students.extractive.scoring import Scorer, Sureness
from stepdown.students.extractive.sentences import look_at
from stepdown.students.novelty.texts import TextNovelty

__all__ = ["ExtractiveStudent"]


class ExtractiveStudent(msgspec.Struct):
    """Picks sentences by `scorer` and `rule`, within the limits; `sureness` says how good they are.

    `rehearsed` is there after training alone.
    """

    family: ClassVar[str] = "linear"

    limits: Limits
    scorer: Scorer
    rule: Rule
    sureness: Sureness
    novelty: TextNovelty | None = None
    id: str = ""
    rehearsed: Mapping[str, Rehearsed] = {}

    def predict(self, given: Input) -> Prediction:
        """Answer one input; the hot path."""
        novelty = self.novelty.score(given) if self.novelty is not None else 0.0
        sentences = look_at(input_text(given))
        scores = self.scorer(sentences)
        picked = pick(sentences, scores, self.limits.longest, self.rule) if sentences else None
        if picked is None:
            why = "No sentence of the input fits into a summary's length."
            return Prediction({}, None, 0.0, {}, why, novelty)
        sure = self.sureness(picked.evidence)
        answer = Answer(text=picked.text, finish_reason="stop")
        return Prediction({"": picked.text}, answer, sure, {"": sure}, "", novelty)
