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


_LOOK = 400
"""Characters read at either end of a text: instructions stand there, the material between."""

_FEW_TOKENS = 16
"""An answer of at most so many tokens is a label, not prose."""

_REACH = 60
"""Characters before a word in which the verb that goes with it is looked for."""

# Plain substrings: they are found some twenty times as fast as the same regular expressions.
_SAYS = ("return", "respond", "reply", "answer", "output", "produce")
_CLOSED = (
    *("one of the following", "one of these", "one of:", "one of [", "one of (", 'one of "'),
    *("classify", "choose one", "choose from", "choose between", "choose the best"),
    *("yes or no", "true or false", "multiple choice"),
    *("labels:", "categories:", "options:", "classes:", "intents:"),
)
_ONE_WORD = (" label", " letter", " one word", " single word", " number", " category", " option")
_CODE = (
    *("```", "traceback (most recent", "stack trace", "stacktrace", "#include", "console.log"),
    *(
        "\nimport ",
        "public static ",
        "():",
        "() {",
        "=> {",
        ");\n",
        "def __init__",
        "select * from",
    ),
)
_MAKES = (" write", " implement", " fix", " debug", " refactor", " complete", " optimi")
_PROGRAMS = (
    *(" function", " code", " script", " program", " query", " queries", " regex", " unit test"),
    *(" method", " class"),
)
_DEFINES = re.compile(r"\n[ \t]*(?:def|class|func|function) \w+ ?[(:{]")
_OPTION_A = re.compile(r"\n[ \t]*\(?a[.):] ")
_OPTION_B = re.compile(r"\n[ \t]*\(?b[.):] ")


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
    if _follows(text, "json", _SAYS):
        return "schema"
    if _few_tokens(request.params) or _closed(text):
        return "labels"
    return "code" if _code(text) else "prose"


def _instructions(request: Request) -> str:
    ends = [""]
    for message in request.messages:
        if message.role not in ("system", "developer"):
            break
        ends.append(_ends(message.text))
    if len(ends) <= len(request.messages):
        ends.append(_ends(request.messages[-1].text))
    return " \n ".join(ends).lower()


def _ends(text: str) -> str:
    return text if len(text) <= 2 * _LOOK else f"{text[:_LOOK]}\n{text[-_LOOK:]}"


def _few_tokens(params: Mapping[str, Any]) -> bool:
    limits = (params.get("max_completion_tokens"), params.get("max_tokens"))
    return any(isinstance(limit, int) and 0 < limit <= _FEW_TOKENS for limit in limits)


def _closed(text: str) -> bool:
    if any(mark in text for mark in _CLOSED):
        return True
    if " only" in text and any(_follows(text, word, _SAYS) for word in _ONE_WORD):
        return True
    return bool(_OPTION_B.search(text) and _OPTION_A.search(text))


def _code(text: str) -> bool:
    if any(mark in text for mark in _CODE) or _DEFINES.search(text):
        return True
    return any(_follows(text, word, _MAKES) for word in _PROGRAMS)


def _follows(text: str, word: str, verbs: tuple[str, ...]) -> bool:
    """Say whether `word` stands soon after one of the verbs, in the same sentence."""
    at = text.find(word)
    while at >= 0:
        before = text[max(0, at - _REACH) : at]
        before = before[max(before.rfind("."), before.rfind("\n ")) + 1 :]
        if any(verb in before for verb in verbs):
            return True
        at = text.find(word, at + len(word))
    return False
