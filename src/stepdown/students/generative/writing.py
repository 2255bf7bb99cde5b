"""From an input to a record: the engine fills one slot after another, or writes it all at once."""

import json
import math
from typing import Any

import msgspec

from stepdown.core.records import CALLS
from stepdown.students.confidence import Evidence
from stepdown.students.generative.port import Engine, EngineError, Said
from stepdown.students.generative.prompts import Prompt
from stepdown.students.generative.schemas import grammar_of
from stepdown.students.generative.slots import TOOL, Form, Slot, line_of, text_of

__all__ = ["Draft", "write"]

_MOST_TOKENS = 512
_MOST_RATIO = 20.0


class Draft(msgspec.Struct):
    """A record in the making; `abstained` says why there is none.

    `fields` are the probabilities of its values, `surprise` the sum of what the tokens cost (nats).
    """

    record: dict[str, Any]
    fields: dict[str, float]
    log_ratio: float = _MOST_RATIO
    surprise: float = 0.0
    abstained: str = ""

    def evidence(self, words: int) -> Evidence:
        """Return what the confidence is fitted on; `words` stand in the input."""
        return Evidence(
            tuple(self.fields.values()), self.log_ratio, self.surprise, words, 1.0, len(self.fields)
        )


def write(engine: Engine, form: Form, prompt: Prompt, text: str) -> Draft:
    """Return the record of one input."""
    draft = Draft({}, {})
    try:
        if engine.piecewise:
            _fill(engine, form, prompt.text(text), draft)
        else:
            _take(engine.write(prompt.message(text), None, _MOST_TOKENS), form, draft)
    except EngineError as error:
        draft.abstained = str(error)
    return draft


def _fill(engine: Engine, form: Form, prompt: str, draft: Draft) -> None:
    scope = ""
    for turn in range(2 if form.shape == "tool" else 1):
        if turn:
            scope = draft.record.get(TOOL)
        for slot in form.scopes.get(scope, ()) if scope is not None else ():
            value = _value(engine, slot, prompt + slot.lead, draft)
            if draft.abstained:
                return
            prompt += line_of(slot, value)
            _put(form, slot, value, draft)


def _value(engine: Engine, slot: Slot, prompt: str, draft: Draft) -> Any:
    if len(slot.options) == 1:
        draft.fields[slot.path] = 1.0
        return slot.options[0]
    if slot.options:
        texts = [text_of(slot, option) for option in slot.options]
        ranked = engine.choose(prompt, texts, line=not slot.bare)
        if ranked is None:
            draft.abstained = f"No value of {slot.path or 'the answer'} is likely."
            return None
        draft.fields[slot.path] = ranked.share
        draft.log_ratio = min(draft.log_ratio, ranked.log_ratio)
        draft.surprise -= ranked.log_p
        return slot.options[ranked.index]
    grammar = grammar_of(slot.schema) if slot.schema is not None else None
    said = engine.write(prompt, grammar, _MOST_TOKENS)
    _weigh(said, slot.path, draft)
    return _read(slot, said, draft)


def _weigh(said: Said, path: str, draft: Draft) -> None:
    total = sum(said.logprobs)
    draft.fields[path] = math.exp(total)
    draft.surprise -= total


def _read(slot: Slot, said: Said, draft: Draft) -> Any:
    if not said.ended:
        draft.abstained = "The answer would be longer than a student may write."
    elif slot.bare:
        return said.text.strip()
    else:
        try:
            return json.loads(said.text)
        except ValueError:
            draft.abstained = f"The value of {slot.path} can't be read."
    return None


def _put(form: Form, slot: Slot, value: Any, draft: Draft) -> None:
    if value is None and form.blanks.get(slot.path) == "absent" and slot.path != TOOL:
        return
    if slot.path == CALLS:
        draft.record.pop(TOOL, None)
    draft.record[slot.path] = value


def _take(said: Said, form: Form, draft: Draft) -> None:
    """Read a whole answer line by line; what is no line of the form ends in an abstention."""
    if not said.ended:
        draft.abstained = "The answer would be longer than a student may write."
        return
    _weigh(said, "", draft)
    if form.shape == "text":
        _take_text(said.text.strip(), form.scopes[""][0], draft)
        return
    lines: dict[str, str] = {}
    for line in said.text.strip().split("\n"):
        lead, _, value = line.partition(":")
        lines[lead] = value
    scope: str | None = ""
    for _ in range(2 if form.shape == "tool" else 1):
        for slot in form.scopes.get(scope, ()) if scope is not None else ():
            _take_line(form, slot, lines, draft)
        scope = draft.record.get(TOOL)
    if lines and not draft.abstained:
        draft.abstained = f"The answer has lines that were not asked for ({min(lines)[:40]!r})."


def _take_text(text: str, slot: Slot, draft: Draft) -> None:
    if slot.options and text not in slot.options:
        draft.abstained = "The answer is none of the known ones."
    draft.record[""] = text


def _take_line(form: Form, slot: Slot, lines: dict[str, str], draft: Draft) -> None:
    written = lines.pop(slot.lead.removesuffix(":"), None)
    try:
        value = json.loads(written or "")
    except ValueError:
        draft.abstained = f"The answer has no value of {slot.path} that can be read."
        return
    if slot.options and value not in slot.options:
        draft.abstained = f"The value of {slot.path} is none of the known ones."
        return
    _put(form, slot, value, draft)
