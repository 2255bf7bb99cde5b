"""How the guesses for single fields become a record, or a reason to abstain.

The same code serves one request and judges the held-out rows in training, so that a confidence
means in service what it meant when it was fitted.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from stepdown.core.anatomy import Shape
from stepdown.students.choice import ABSENT, FREE, Choice, Labels
from stepdown.students.confidence import Evidence, Platt
from stepdown.students.features import Features
from stepdown.students.linear.plan import ROOTS
from stepdown.students.spans import SpanGuess

__all__ = ["GATE", "Blank", "Draft", "Form", "Scope", "compose"]

GATE = "#known"
"""The head that says whether the teacher's answer is of the task's shape at all."""

_TOOL = "/tool"


Blank = Literal["null", "absent", "never"]
"""What the teacher writes where a copied field has no value; never: it always has one."""


class Scope(msgspec.Struct, frozen=True):
    """The fields of one tool, or of the whole record.

    `choices` have a head each. `spans` are read by the scope's span model; each says what to write
    where nothing is found. A path in both is read where its head says that the value is free.
    `refused` says why the scope is always left to the teacher ("" where it is not).
    """

    choices: tuple[str, ...] = ()
    spans: dict[str, Blank] = {}
    refused: str = ""


class Form(msgspec.Struct, frozen=True):
    """The fields of a task by scope, the classes of each head, and the span calibrations."""

    shape: Shape
    labels: dict[str, Labels]
    scopes: dict[str, Scope]
    platts: dict[str, Platt] = {}

    def tool(self, choices: Mapping[str, Choice]) -> str | None:
        """Return the tool that was chosen, None for no tool."""
        value = self.labels[_TOOL].values[choices[_TOOL].index]
        return value if isinstance(value, str) else None


class Draft(msgspec.Struct):
    """A record in the making: each field's probability, and why to abstain ("" if not).

    `claim` is how loudly the root's class claims the input, None where there is no root.
    """

    record: dict[str, Any] = {}
    fields: dict[str, float] = {}
    log_ratio: float = 20.0
    entropy: float = 0.0
    spans: int = 0
    root: int = -1
    abstained: str = ""
    claim: float | None = None

    def evidence(self, features: Features) -> Evidence:
        """Return what is known of the record for `Confidence`."""
        return Evidence(
            tuple(self.fields.values()),
            self.log_ratio,
            self.entropy,
            features.words,
            features.known,
            self.spans,
            self.root,
        )


def _choose(draft: Draft, form: Form, path: str, choice: Choice) -> None:
    draft.fields[path] = choice.probability
    draft.log_ratio = min(draft.log_ratio, choice.log_ratio)
    draft.entropy += choice.entropy
    if path == ROOTS[form.shape]:
        draft.root, draft.claim = choice.index, choice.claim
    value = form.labels[path].values[choice.index]
    if value == FREE:
        draft.abstained = f"{path or 'The answer'} is free text."
    elif value != ABSENT:
        draft.record[path] = value


def _read(draft: Draft, form: Form, path: str, blank: Blank, guess: SpanGuess) -> None:
    platt = form.platts.get(path)
    draft.fields[path] = platt(guess.probability) if platt else guess.probability
    if guess.failed:
        draft.abstained = f"What was found for {path or 'the answer'} can't be read."
    elif guess.value is not None:
        draft.record[path] = guess.value
        draft.spans += 1
    elif blank == "null":
        draft.record[path] = None
    elif blank == "never":
        draft.abstained = f"Nothing was found for {path or 'the answer'}."


def compose(
    form: Form,
    tool: str | None,
    choices: Mapping[str, Choice],
    guesses: Mapping[str, SpanGuess],
) -> Draft:
    """Put the guesses for one input together; `tool` is the one chosen, where the shape is tool."""
    draft = Draft({}, {})
    gate = choices.get(GATE)
    if gate is not None:
        draft.fields[GATE] = gate.probability
        if form.labels[GATE].values[gate.index] is False:
            draft.abstained = "The teacher's answer would not be of the task's shape."
            return draft
    if form.shape == "tool":
        _choose(draft, form, _TOOL, choices[_TOOL])
        if tool is None:
            draft.record[_TOOL] = None
            return draft
    scope = form.scopes.get(tool or "", Scope())
    draft.abstained = draft.abstained or scope.refused
    read = dict(scope.spans)
    for path in scope.choices:
        if path in read and form.labels[path].values[choices[path].index] == FREE:
            # There is a value: one that is not found is not known.
            read[path] = "never"
            continue
        read.pop(path, None)
        _choose(draft, form, path, choices[path])
    for path, blank in read.items():
        _read(draft, form, path, blank, guesses[path])
        if path in scope.choices:
            draft.fields[path] *= choices[path].probability
    return draft
