"""Calls of no known task: what kind a request is by its own shape, and which tier a score means."""

import math
import re
from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

from stepdown.core.calls import Request
from stepdown.core.routes import Tier
from stepdown.errors import UsageError

__all__ = ["TASK_TYPES", "TaskType", "Thresholds", "route_to_model", "task_type_of"]

TaskType = Literal["labels", "schema", "tools", "code", "prose"]
"""What is asked for: one of few answers, JSON, calls of tools, program code, or anything else."""

TASK_TYPES: tuple[TaskType, ...] = get_args(TaskType)


class Thresholds(msgspec.Struct, frozen=True):
    """Where the tiers part: small below `mid`, mid from there on, frontier from `frontier` on."""

    mid: float = 0.4
    frontier: float = 0.75

    def __post_init__(self) -> None:
        if not 0.0 <= self.mid <= self.frontier <= 1.0:
            raise UsageError(
                f"Thresholds mid={self.mid:g} and frontier={self.frontier:g} don't part the tiers; "
                "they need 0 <= mid <= frontier <= 1."
            )


_USUAL = Thresholds()
_NO_TYPES: Mapping[TaskType, Thresholds] = {}


def route_to_model(
    task_type: TaskType,
    complexity_score: float | None,
    thresholds: Thresholds = _USUAL,
    types: Mapping[TaskType, Thresholds] = _NO_TYPES,
) -> Tier:
    """Return the tier that a call of no known task goes to.

    `complexity_score` in [0, 1] is the probability that a cheaper model's answer isn't good enough;
    None, which is unknown, means the frontier. `types` has the thresholds of task types that differ
    from the usual `thresholds`.

    Raises:
        UsageError: there is no such task type, or the score is not a probability.
    """
    if task_type not in TASK_TYPES:
        raise UsageError(
            f"There is no task type {task_type!r}; task types are {', '.join(TASK_TYPES)}."
        )
    if complexity_score is None:
        return "frontier"
    if math.isnan(complexity_score) or not 0.0 <= complexity_score <= 1.0:
        raise UsageError(
            f"A complexity score of {complexity_score} is no probability; give one from 0 to 1, "
            "or None where it isn't known."
        )
    cut = types.get(task_type, thresholds)
    if complexity_score < cut.mid:
        return "small"
    return "mid" if complexity_score < cut.frontier else "frontier"


_LOOK = 2_000
"""Characters read at either end of a text: instructions stand there, the material between."""

_FEW_TOKENS = 16
"""An answer of at most so many tokens is a label, not prose."""

_JSON_ASKED = re.compile(
    r"\b(?:return|respond|reply|answer|output|produce)\b[^.\n]{0,60}\bjson\b", re.IGNORECASE
)
_CLOSED = re.compile(
    r"\b(?:exactly )?one of (?:the following|these|:|\[|\(|\"|')"
    r"|\bclassify\b"
    r"|\bchoose (?:one|from|between|the (?:best|correct|right))\b"
    r"|\b(?:answer|reply|respond|output|return)\b[^.\n]{0,40}"
    r"(?:\bonly\b[^.\n]{0,40}\b(?:label|letter|word|number|name|category|option)\b"
    r"|\b(?:label|letter|word|number|name|category|option)\b[^.\n]{0,20}\bonly\b"
    r"|\byes or no\b|\btrue or false\b)"
    r"|\b(?:labels|categories|options|classes|intents)\s*:",
    re.IGNORECASE,
)
_OPTION = re.compile(r"^[ \t]*\(?([A-H])[.):][ \t]", re.MULTILINE)
_CODE = re.compile(
    r"```|\bTraceback \(most recent|\bstack ?trace\b|^\s*(?:#include\b|def \w+\(|class \w+[:({]"
    r"|(?:from \w[\w.]* )?import \w|public \w+ \w+|const \w+ =|func \w+\()"
    r"|\bSELECT\b[^;]{1,200}\bFROM\b"
    r"|\b(?i:write|implement|fix|debug|refactor|complete|optimi[sz]e)\b[^.\n]{0,60}"
    r"\b(?i:function|code|script|program|quer(?:y|ies)|regex|unit tests?|method|class)\b",
    re.MULTILINE,
)


def task_type_of(request: Request) -> TaskType:
    """Return the kind of a request, from nothing but its own shape; the first that fits counts.

    Tools that may be called, a JSON answer, a closed list of answers (or room for a few tokens
    only), code; else prose. Both ends of the instructions and of the last message are read.
    """
    if request.tools.tools and request.tool_choice != "none":
        return "tools"
    if request.output_format.kind != "text":
        return "schema"
    text = _instructions(request)
    if _JSON_ASKED.search(text):
        return "schema"
    if _few_tokens(request.params) or _CLOSED.search(text) or _options(text):
        return "labels"
    return "code" if _CODE.search(text) else "prose"


def _instructions(request: Request) -> str:
    ends: list[str] = []
    for message in request.messages:
        if message.role not in ("system", "developer"):
            break
        ends.append(_ends(message.text))
    if len(ends) < len(request.messages):
        ends.append(_ends(request.messages[-1].text))
    return "\n".join(ends)


def _ends(text: str) -> str:
    return text if len(text) <= 2 * _LOOK else f"{text[:_LOOK]}\n{text[-_LOOK:]}"


def _few_tokens(params: Mapping[str, Any]) -> bool:
    limits = (params.get("max_completion_tokens"), params.get("max_tokens"))
    return any(isinstance(limit, int) and 0 < limit <= _FEW_TOKENS for limit in limits)


def _options(text: str) -> bool:
    return {"A", "B"} <= {found[1] for found in _OPTION.finditer(text)}
