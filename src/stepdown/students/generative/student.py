"""A generative student: a small language model that writes, and how far to believe it."""

import re
from collections.abc import Mapping
from pathlib import Path

from stepdown.core.ports import Prediction, Rehearsed
from stepdown.core.tasks import Input, input_text
from stepdown.students.assembly import Assembler
from stepdown.students.confidence import Confidence
from stepdown.students.generative.port import Engine
from stepdown.students.generative.prompts import Prompt
from stepdown.students.generative.slots import Form
from stepdown.students.generative.writing import Draft, write
from stepdown.students.novelty.texts import TextNovelty

__all__ = ["MOST_CHARS", "GenerativeStudent", "words_in"]

MOST_CHARS = 6_000
"""Longer inputs were not in training, and are the teacher's."""
_LONG = "The input is longer than those that the model was trained on."
_WORD = re.compile(r"\w+")


def words_in(text: str) -> int:
    """Return how many words a text has."""
    return len(_WORD.findall(text))


class GenerativeStudent:
    """Everything that `predict` needs; `files` is the folder of the model's own files."""

    family = "generative"

    def __init__(
        self,
        engine: Engine,
        form: Form,
        prompt: Prompt,
        confidence: Confidence,
        assembler: Assembler,
        files: Path,
    ) -> None:
        self.id = ""
        self.engine = engine
        self.form = form
        self.prompt = prompt
        self.confidence = confidence
        self.files = files
        self.novelty: TextNovelty | None = None
        self.rehearsed: Mapping[str, Rehearsed] = {}
        self._assembler = assembler

    def with_engine(self, engine: Engine) -> "GenerativeStudent":
        """Return the student that asks another model the same way."""
        return GenerativeStudent(
            engine, self.form, self.prompt, self.confidence, self._assembler, self.files
        )

    def draft(self, given: Input) -> Draft:
        """Return the record in the making."""
        text = input_text(given)
        if len(text) > MOST_CHARS:
            return Draft({}, {}, abstained=_LONG)
        return write(self.engine, self.form, self.prompt, text)

    def predict(self, given: Input) -> Prediction:
        """Answer one input."""
        novelty = self.novelty.score(given) if self.novelty else 0.0
        draft = self.draft(given)
        answer = draft.abstained or self._assembler.assemble(draft.record)
        if isinstance(answer, str):
            return Prediction(draft.record, None, 0.0, draft.fields, answer, novelty)
        score = self.confidence(draft.evidence(words_in(input_text(given))))
        return Prediction(draft.record, answer, score, draft.fields, "", novelty)
