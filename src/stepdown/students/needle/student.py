"""A Needle student: its engine's call, and our own belief in it.

Fine-tuning voids the confidence that the published model has, so one is fitted on held-out rows
from what can be seen of a call: the tool, its arguments, and which of them stand in the input.
"""

import json
import re
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from stepdown.core.calls import Answer, ToolCall
from stepdown.core.ports import Prediction, Rehearsed
from stepdown.core.records import flatten, read_answer, tool_calls
from stepdown.core.tasks import Input, input_text
from stepdown.students.assembly import Assembler
from stepdown.students.confidence import Confidence, Evidence
from stepdown.students.needle.worker import Worker, WorkerError
from stepdown.students.novelty.texts import TextNovelty

__all__ = ["Guess", "NeedleStudent"]

_WORD = re.compile(r"\w+")
_TOOL = "/tool"
_USUAL = 0.9
"""What a call is believed where the engine says nothing: the regression shifts it."""


class Guess(msgspec.Struct, frozen=True):
    """The record of a call, and what is known of it; `abstained` says why there is none."""

    record: dict[str, Any]
    evidence: Evidence | None = None
    abstained: str = ""


class NeedleStudent:
    """Everything that `predict` needs; `tools` are the flat schemas, `names` the tools' order."""

    family = "needle"

    def __init__(
        self,
        worker: Worker,
        tools: Sequence[Mapping[str, Any]],
        confidence: Confidence,
        assembler: Assembler,
    ) -> None:
        self.id = ""
        self.worker = worker
        self.tools = tuple(tools)
        self.names = tuple(str(tool["name"]) for tool in tools)
        self.confidence = confidence
        self.novelty: TextNovelty | None = None
        self.rehearsed: Mapping[str, Rehearsed] = {}
        self._assembler = assembler
        self._end = weakref.finalize(self, worker.close)

    def guess(self, given: Input) -> Guess:
        """Return the call that the engine would make."""
        text = input_text(given)
        try:
            said = self.worker.ask(text)
        except WorkerError as error:
            return Guess({}, abstained=str(error))
        calls = said.get("function_calls") or []
        if not calls:
            return Guess({_TOOL: None}, abstained="Needle calls no tool.")
        record = _record(calls)
        if record is None or not {name for name, _ in tool_calls(record)}.issubset(self.names):
            return Guess({}, abstained="Needle called what is no tool of the task.")
        return Guess(record, self._evidence(record, text, said.get("confidence")))

    def _evidence(self, record: Mapping[str, Any], text: str, sure: Any) -> Evidence:
        calls = tool_calls(dict(record))
        values = [value for _, own in calls for value in flatten(own).values()]
        lowered = text.lower()
        grounded = sum(str(value).lower() in lowered for value in values)
        believed = float(sure) if isinstance(sure, int | float) else _USUAL
        words = len(_WORD.findall(text))
        share = grounded / len(values) if values else 1.0
        root = self.names.index(calls[0][0]) if len(calls) == 1 else -1
        return Evidence((believed,), share, len(values) - grounded, words, 1.0, len(values), root)

    def predict(self, given: Input) -> Prediction:
        """Answer one input."""
        novelty = self.novelty.score(given) if self.novelty else 0.0
        guess = self.guess(given)
        answer = guess.abstained or self._assembler.assemble(guess.record)
        if guess.evidence is None or isinstance(answer, str):
            return Prediction(guess.record, None, 0.0, {}, str(answer), novelty)
        score = self.confidence(guess.evidence)
        return Prediction(guess.record, answer, score, {_TOOL: score}, "", novelty)


def _record(calls: Any) -> dict[str, Any] | None:
    """Return the record of the engine's calls; None where they are none."""
    if not isinstance(calls, list):
        return None
    found: list[ToolCall] = []
    for call in cast("list[Any]", calls):
        if not isinstance(call, dict) or not isinstance(call.get("name"), str):
            return None
        found.append(ToolCall(call["name"], json.dumps(call.get("arguments") or {})))
    return read_answer(Answer(tool_calls=tuple(found)), "tool")
