"""Plain tables and lines of anybody's making: an input and an output, under whatever names.

The usual names are known; `Plain` takes the others (`--map input=body.question`). It is the last to
be asked whether a log is its own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from stepdown.core.calls import Call, Usage
from stepdown.core.ports import Line
from stepdown.errors import UsageError
from stepdown.logs.each import each_call
from stepdown.logs.exports import Export, amount, call_of, count, mapping, told_by, usage_of
from stepdown.logs.loose import answer_body, request_body
from stepdown.logs.times import parse_time
from stepdown.wire.exchanges import parsed, read_usage

__all__ = ["FIELDS", "FORMAT", "Plain", "mapped"]

Json = dict[str, Any]

FIELDS: Mapping[str, tuple[str, ...]] = {
    "input": (
        *("messages", "prompt", "input", "request", "question"),
        *("request_body", "body", "request.body", "inputs"),
    ),
    "output": (
        *("response", "completion", "output", "answer", "response_body", "outputs"),
        "preferred_output",
    ),
    "system": ("system", "system_prompt", "instructions"),
    "model": ("model", "model_name"),
    "id": ("id", "request_id", "call_id"),
    "time": ("time", "timestamp", "ts", "created", "created_at", "date"),
    "latency_ms": ("latency_ms", "duration_ms", "latency"),
    "input_tokens": ("input_tokens", "prompt_tokens", "usage.input_tokens", "usage.prompt_tokens"),
    "output_tokens": (
        *("output_tokens", "completion_tokens"),
        *("usage.output_tokens", "usage.completion_tokens"),
    ),
    "cost_usd": ("cost_usd", "cost"),
    "task": ("stepdown_task", "metadata.stepdown_task", "task"),
    "group": ("group", "session_id", "conversation_id", "metadata.group"),
    "user": ("user", "user_id", "metadata.user", "metadata.user_id"),
    "tools": ("tools",),
    "response_format": ("response_format",),
}
"""What a line may tell, and the names that are looked for, the likeliest first."""

_READS: Mapping[str, Callable[[Any], float | None]] = {
    "time": parse_time,
    "latency_ms": amount,
    "cost_usd": amount,
    "input_tokens": count,
    "output_tokens": count,
}
"""How the fields are read that may be told and yet be no such thing."""

_decode = msgspec.json.Decoder(Json).decode


class Plain:
    """Reads lines by the names of their fields; `columns` says which field tells what.

    Where it says what input and output are it is of lines that have them, and asked first: other
    logs that are read beside them, of formats that are known, need no telling.
    """

    name = "plain"

    def __init__(self, columns: Mapping[str, str] | None = None) -> None:
        self._told = dict(columns or {})
        self._paths = {
            field: [self._told[field]] if field in self._told else names
            for field, names in FIELDS.items()
        }
        self._needed = [field for field in ("input", "output") if field in self._told]
        self.last = not self._needed

    def detect(self, sample: Sequence[Json]) -> bool:
        """Say whether a line has an input and an output."""
        needed = self._needed or ["input", "output"]
        return any(all(self._find(line, field) is not None for field in needed) for line in sample)

    def doubts(self, sample: Sequence[Json]) -> list[str]:
        """Return what was told of the fields and does not hold in any of the lines."""
        found: list[str] = []
        for field, path in self._told.items():
            values = [value for line in sample if (value := self._find(line, field)) is not None]
            if not values:
                found.append(f"--map {field}={path}: none of the first lines has it.")
            elif (reads := _READS.get(field)) and all(reads(value) is None for value in values):
                what = "time" if field == "time" else "number"
                found.append(f"--map {field}={path}: {str(values[0])[:40]!r} is no {what}.")
        return found

    def read(self, lines: Iterable[Line]) -> Iterator[Call | str]:
        """Yield each line's call, or why there is none."""
        return each_call(lines, lambda line: call_of(line, self._export(_decode(line.data))))

    def _export(self, row: Json) -> Export:
        found = {field: self._find(row, field) for field in FIELDS}
        told = {
            name: value
            for name in ("model", "tools", "response_format")
            if (value := found[name]) is not None
        }
        system = found["system"]
        return Export(
            request=request_body(found["input"], told, system if isinstance(system, str) else ""),
            response=answer_body(found["output"]),
            id=found["id"],
            model=str(found["model"] or ""),
            begun=found["time"],
            latency_ms=found["latency_ms"],
            usage=self._usage(row, found),
            cost_usd=amount(found["cost_usd"]),
            metadata=row.get("metadata"),
            task=_text(found["task"]),
            group=_text(found["group"]),
            by=told_by(user=_text(found["user"])),
        )

    def _usage(self, row: Json, found: Json) -> Usage | None:
        """Return the counts of columns that were told, else all that a provider's `usage` tells."""
        whole = read_usage(parsed(row.get("usage")))
        if whole and not self._told.keys() & {"input_tokens", "output_tokens"}:
            return whole
        return usage_of(found["input_tokens"], found["output_tokens"])

    def _find(self, row: Json, field: str) -> Any:
        for path in self._paths[field]:
            value = _at(row, path)
            if value is not None and value != "":
                return value
        return None


def mapped(pairs: Sequence[str]) -> dict[str, str]:
    """Return the columns that `field=path` pairs name; a path is dotted, with numbers for places.

    Raises:
        UsageError: a pair is none, or its field is not one of `FIELDS`.
    """
    columns: dict[str, str] = {}
    for pair in pairs:
        field, equals, path = pair.partition("=")
        if not equals or not path or field not in FIELDS:
            raise UsageError(
                f"--map {pair[:80]!r} is not FIELD=PATH; FIELD is one of {', '.join(FIELDS)}."
            )
        columns[field] = path
    return columns


def _at(row: Json, path: str) -> Any:
    """Return what stands at a dotted path; a column may have the dots in its own name."""
    if path in row:
        return row[path]
    value: Any = row
    for step in path.split("."):
        if isinstance(value, dict | str):
            value = mapping(cast("Json | str", value)).get(step)
        elif isinstance(value, list) and step.isdecimal():
            items = cast("list[Any]", value)
            value = items[int(step)] if int(step) < len(items) else None
        else:
            return None
    return value


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None


FORMAT = Plain()
