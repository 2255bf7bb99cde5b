"""A task whose truth is known: an input says what the student answers, and how surely."""

from types import SimpleNamespace

import numpy as np
import pytest

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.calls import Answer
from stepdown.core.datasets import Dataset, Example, SplitReport
from stepdown.core.ports import Prediction
from stepdown.core.tasks import Segment, Signature, Task, Verdict
from stepdown.prove.outcomes import answer

LABELS = ("cards", "loans", "other")


class Oracle:
    """Answers as its input tells it: "label confidence", "abstain" or "raise"."""

    id = "s-1"
    family = "oracle"

    def predict(self, given):
        words = given[0].text.split()
        if words[0] == "raise":
            raise RuntimeError("broken")
        if words[0] == "abstain":
            return Prediction(record={}, answer=None, confidence=0.9, abstained="too long")
        label, confidence = words[:2]
        return Prediction({"": label}, Answer(text=label), float(confidence))


def example(name, said, answered, confidence, split="test", known=True):
    text = f"{answered} {confidence} is what comes out for {name}"
    return Example(
        str(name), (Segment("user", text),), {"": said} if known else {}, known=known, split=split
    )


def rows(count, split="test", seed=1, scale=0.3):
    """Return examples; P(wrong | confidence c) = scale · (1 − c)."""
    random = np.random.default_rng(seed)
    made = []
    for at in range(count):
        confidence = round(float(random.beta(5, 1)), 6)
        said = LABELS[int(random.integers(3))]
        wrong = random.random() < scale * (1 - confidence)
        answered = LABELS[(LABELS.index(said) + 1) % 3] if wrong else said
        made.append(example(f"{split}{at}", said, answered, confidence, split))
    return made


def task(**facts):
    anatomy = Anatomy("text", (Field("", "choice", values=LABELS),), 100, 1.0, 1.0)
    return Task("t-1", "routing", Signature(), anatomy, Verdict("distil"), **facts)


def dataset(*parts):
    examples = tuple(one for part in parts for one in part)
    return Dataset("d-1", "t-1", examples, SplitReport(0, 1, 2))


@pytest.fixture
def world():
    return SimpleNamespace(
        labels=LABELS,
        student=Oracle(),
        example=example,
        rows=rows,
        task=task,
        dataset=dataset,
        outcomes=lambda examples: answer(Oracle(), examples),
    )
