"""A task: calls of one kind, the signature that recognises them, and the index that does so fast.

A request has three texts: `system` (the leading system and developer messages), `history` (what was
said between them and the last message, each turn marked with its role) and `user` (the last
message). A signature is exact on tools and output format and has one template for each text; what
stands in the templates' holes is the task's *input*, all that a student sees.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from stepdown.core.anatomy import Anatomy
from stepdown.core.calls import DAY_S, Request
from stepdown.core.forms import PLACEHOLDER
from stepdown.core.templates import ANYTHING, Template, match

__all__ = [
    "MONTH_DAYS",
    "Input",
    "Option",
    "Segment",
    "Signature",
    "Task",
    "TaskIndex",
    "Verdict",
    "calls_month",
    "input_text",
    "teacher_usd",
    "texts",
    "tokens_a_call",
]

MONTH_DAYS = 30.4375
"""Days in a mean month."""


Part = Literal["system", "history", "user"]


class Segment(msgspec.Struct, frozen=True):
    """What stood in one hole of one template."""

    part: Part
    text: str


Input = tuple[Segment, ...]
"""The variable text of a request, in order: all that a student sees."""


def input_text(parts: Input) -> str:
    """Join the segments with newlines into the one text that features and spans refer to."""
    return "\n".join(segment.text for segment in parts)


def texts(request: Request) -> tuple[str, str, str]:
    """Return the request's (system, history, user) texts.

    History turns are written `role: text`, one after another on lines of their own; a tool call
    in the history is written `assistant: name(arguments)`.
    """
    messages = request.messages
    start = 0
    while start < len(messages) and messages[start].role in ("system", "developer"):
        start += 1
    system = "\n".join(message.text for message in messages[:start])
    if start == len(messages):
        return system, "", ""
    turns: list[str] = []
    for message in messages[start:-1]:
        turns.extend(f"{message.role}: {c.name}({c.arguments})" for c in message.tool_calls)
        if message.text:
            turns.append(f"{message.role}: {message.text}")
    return system, "\n".join(turns), messages[-1].text


class Signature(msgspec.Struct, frozen=True):
    """What makes a request one of this task's: exact hashes and three templates."""

    tools: str = ""
    output_format: str = ""
    system: Template = ANYTHING
    history: Template = ANYTHING
    user: Template = ANYTHING

    @property
    def specificity(self) -> int:
        """How many characters of the three templates are constant."""
        return sum(t.constant_chars for t in (self.system, self.history, self.user))

    def match(self, system: str, history: str, user: str) -> Input | None:
        """Return the input that the three texts carry, or None when a template does not fit."""
        segments: list[Segment] = []
        parts: tuple[tuple[Part, Template, str], ...] = (
            ("system", self.system, system),
            ("history", self.history, history),
            ("user", self.user, user),
        )
        for part, template, text in parts:
            holes = match(template, text)
            if holes is None:
                return None
            segments.extend(Segment(part, hole) for hole in holes if hole)
        return tuple(segments)


class Verdict(msgspec.Struct, frozen=True):
    """What the audit advises for a task, with its reasons, each one a sentence.

    `missing_calls` is how many more calls a certificate would need; `saving_usd_month` and
    `break_even_days` are None when unknown.
    """

    decision: Literal["distil", "more data", "not worth it", "not possible"]
    reasons: tuple[str, ...] = ()
    missing_calls: int = 0
    saving_usd_month: float | None = None
    break_even_days: float | None = None


class Option(msgspec.Struct, frozen=True):
    """A way to pay less for a task; it is one of several, whose savings overlap.

    `saving_usd_month` is None where it can't be known from the log, `break_even_days` where nothing
    has to be paid first. A `lossless` one changes no answer.
    """

    name: str
    saving_usd_month: float | None
    risk: str
    basis: str
    break_even_days: float | None = None
    lossless: bool = False


class Task(msgspec.Struct, frozen=True):
    """Calls of one kind, as the audit measured them over a log.

    `spend_usd` is None when no call had a known price; `priced_calls` says how many had one, and
    `counted_calls` how many told their tokens (0: as many as there are, or nobody counted them).
    `spend_usd_month` extrapolates by the log's own time span and is None without times. Latencies
    are in milliseconds. `repeats` is the share of calls whose input stood in the log before,
    `self_agreement` how often the teacher answered such a repeat alike (None without repeats), as
    measured on `self_agreement_repeats` of them.
    `params` holds what the contract needs to know of the other body fields: for each field the
    distinct values seen (at most 8), or `{"max": x}` for numbers. `options` are ways to pay less.
    `spend_by` has what was spent by each team, key, service and place in the code that the log
    tells of, in US dollars; `daily` each day (since the epoch, UTC) with its calls and spend.
    `seen` says that its signature leaves open only what was seen to vary: earlier versions of the
    audit left open whatever looked like a date, an amount or an id.
    """

    id: str
    name: str
    signature: Signature
    anatomy: Anatomy
    verdict: Verdict
    calls: int = 0
    models: dict[str, int] = {}
    tools_json: str = "[]"
    output_format_json: str = "null"
    examples: tuple[str, ...] = ()
    first_time: float | None = None
    last_time: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    spend_usd: float | None = None
    spend_usd_month: float | None = None
    priced_calls: int = 0
    counted_calls: int = 0
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    repeats: float = 0.0
    self_agreement: float | None = None
    self_agreement_repeats: int = 0
    hint: str | None = None
    params: dict[str, Any] = {}
    sources: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    spend_by: dict[str, dict[str, float]] = {}
    daily: tuple[tuple[int, int, float], ...] = ()
    seen: bool = False


def teacher_usd(task: Task) -> float | None:
    """Return the teacher's US dollars per 1,000 calls; None without a priced call."""
    if task.spend_usd is None or not task.priced_calls:
        return None
    return task.spend_usd / task.priced_calls * 1000.0


def tokens_a_call(task: Task) -> tuple[float, float] | None:
    """Return how many tokens a call reads and writes, of those that tell; None where none does."""
    counted = task.counted_calls or task.calls
    if task.input_tokens is None or task.output_tokens is None or not counted:
        return None
    return task.input_tokens / counted, task.output_tokens / counted


def calls_month(task: Task) -> float | None:
    """Return the task's calls a month, from its share of the log's time span; None if unknown."""
    if task.spend_usd and task.spend_usd_month is not None:
        return task.calls * task.spend_usd_month / task.spend_usd
    if task.first_time is None or task.last_time is None:
        return None
    days = (task.last_time - task.first_time) / DAY_S
    # Less than a day says nothing about a month.
    return task.calls / days * MONTH_DAYS if days >= 1.0 else None


def _constants(task: Task) -> Iterator[str]:
    """Yield what every request of a task has in it."""
    for template in (task.signature.system, task.signature.history, task.signature.user):
        yield from template.fragments
    yield task.tools_json
    yield task.output_format_json


class TaskIndex:
    """Recognises a request's task: one dictionary look-up, then the few templates left.

    The look-up is on tools, output format and, where a signature's system text has no hole, on that
    text itself. Among the candidates the most specific signature comes first.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        tasks = list(tasks)
        self._exact: dict[tuple[str, str, str], list[Task]] = {}
        self._open: dict[tuple[str, str], list[Task]] = {}
        self._named: dict[str, list[Task]] = {}
        for task in sorted(tasks, key=lambda task: (-task.signature.specificity, task.id)):
            signature = task.signature
            self._open.setdefault((signature.tools, signature.output_format), [])
            if len(signature.system.fragments) == 1:
                key = (signature.tools, signature.output_format, signature.system.fragments[0])
                self._exact.setdefault(key, []).append(task)
            else:
                self._open[signature.tools, signature.output_format].append(task)
            for name in {task.id, task.name, task.hint or task.name}:
                self._named.setdefault(name, []).append(task)
        self.redacted = any(PLACEHOLDER in text for task in tasks for text in _constants(task))
        """Whether a request has to be redacted before its task can be told."""
        self._tasks = sorted(
            {task.id: task for group in self._named.values() for task in group}.values(),
            key=lambda task: task.name,
        )

    def named(self, name: str) -> Sequence[Task]:
        """Return the tasks of that name, id or caller's hint: one hint may cover several."""
        return self._named.get(name, ())

    def tasks(self) -> Sequence[Task]:
        """Return every task once, ordered by name."""
        return self._tasks

    def recognise(self, request: Request, hint: str | None = None) -> tuple[Task, Input] | None:
        """Return the task of `request` and its input, or None.

        With a `hint` (a task's name or id, or what the caller called it in the log) only tasks
        of that name are tried. A tie between two tasks is no match.
        """
        system, history, user = texts(request)
        hashes = (request.tools.hash, request.output_format.hash)
        if hint is not None:
            candidates: Sequence[Task] = [
                task
                for task in self.named(hint)
                if (task.signature.tools, task.signature.output_format) == hashes
            ]
        else:
            exact = self._exact.get((*hashes, system), ())
            candidates = (*exact, *self._open.get(hashes, ()))
        for task in candidates:
            found = task.signature.match(system, history, user)
            if found is not None:
                if len(candidates) == 1:
                    return task, found
                twins = sum(other.signature == task.signature for other in candidates)
                return (task, found) if twins == 1 else None
        return None
