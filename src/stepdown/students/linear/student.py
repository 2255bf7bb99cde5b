"""A trained linear student: one look at the input, one guess per field, one assembled answer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stepdown.core.ports import Prediction, Rehearsed
from stepdown.core.tasks import Input, input_text
from stepdown.students.assembly import Assembler
from stepdown.students.choice import Choice, ChoiceHead
from stepdown.students.confidence import Confidence
from stepdown.students.features import Features, Featurizer
from stepdown.students.linear.form import GATE, Draft, Form, compose
from stepdown.students.novelty import Novelty, sketch
from stepdown.students.spans import SpanGuess

__all__ = ["LinearStudent", "vector_of"]

if TYPE_CHECKING:
    from stepdown.students.windows.model import WindowModel


class LinearStudent:
    """Everything that `predict` needs, in memory; shared by threads, since nothing in it changes.

    `heads` are by field path (and `GATE`), `spans`, each a Reader, by scope: a tool's name, or "".
    `rehearsed` is there after training alone.
    """

    family = "linear"

    def __init__(
        self,
        featurizer: Featurizer,
        heads: Mapping[str, ChoiceHead],
        spans: Mapping[str, Any],
        form: Form,
        confidence: Confidence,
        assembler: Assembler,
    ) -> None:
        self.id = ""
        self.windows: WindowModel | None = None
        self.novelty: Novelty | None = None
        self.featurizer = featurizer
        self.heads = dict(heads)
        self.spans = dict(spans)
        self.form = form
        self.confidence = confidence
        self.rehearsed: Mapping[str, Rehearsed] = {}
        self._assembler = assembler
        self._first = [path for path in (GATE, "/tool") if path in self.heads]

    def predict(self, given: Input) -> Prediction:
        """Answer one input; the hot path."""
        if self.windows is not None:
            given = self.windows.condense(given)
        features = self.featurizer.extract(given)
        draft = self._draft(features, given)
        fields = {path: chance for path, chance in draft.fields.items() if path != GATE}
        novelty = self._novelty(features, given, draft)
        if draft.abstained:
            return Prediction(draft.record, None, 0.0, fields, draft.abstained, novelty)
        answer = self._assembler.assemble(draft.record)
        if isinstance(answer, str):
            return Prediction(draft.record, None, 0.0, fields, answer, novelty)
        score = self.confidence(draft.evidence(features))
        return Prediction(draft.record, answer, score, fields, "", novelty)

    def _novelty(self, features: Features, given: Input, draft: Draft) -> float:
        if self.novelty is None:
            return 0.0
        vector = vector_of(features, self.featurizer.origin)
        return self.novelty.score(input_text(given), vector, draft.claim)

    def _draft(self, features: Features, given: Input) -> Draft:
        heads, form = self.heads, self.form
        choices: dict[str, Choice] = {path: heads[path].choose(features) for path in self._first}
        tool = form.tool(choices) if form.shape == "tool" else None
        guesses: dict[str, SpanGuess] = {}
        scope = form.scopes.get(tool or "")
        if scope is not None:
            for path in scope.choices:
                choices[path] = heads[path].choose(features)
            if scope.spans:
                guesses = self.spans[tool or ""].predict(input_text(given))
        return compose(form, tool, choices, guesses)


def vector_of(features: Features, origin: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Return the dense vectors of a text or, without any, a sketch of its n-grams.

    `origin` is added again where it was subtracted: angles tell strangers apart where the encoder
    measured them, better than around the mean of the training texts.
    """
    if not len(features.dense):
        return sketch(features.ids, features.weights)
    return features.dense if origin is None else features.dense + origin
