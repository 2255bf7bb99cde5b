"""OTLP's JSON: batches of spans and log records, and the attributes of either as plain values."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from stepdown.core.ports import Line
from stepdown.logs import reasons

__all__ = ["SERVICE", "Event", "Pair", "Record", "read_record", "records", "told"]

SERVICE = "service.name"


class _Value(msgspec.Struct, frozen=True, gc=False):
    """OTLP's AnyValue; of its members one is set."""

    stringValue: str | None = None
    intValue: int | str | None = None
    doubleValue: float | str | None = None
    boolValue: bool | None = None
    arrayValue: "_Values | None" = None
    kvlistValue: "_Pairs | None" = None


class _Values(msgspec.Struct, frozen=True, gc=False):
    values: list[_Value] = []


class Pair(msgspec.Struct, frozen=True, gc=False):
    """One attribute."""

    key: str
    value: _Value = _Value()


class _Pairs(msgspec.Struct, frozen=True, gc=False):
    values: list[Pair] = []


class Event(msgspec.Struct, gc=False):
    """What happened within a span, by name."""

    name: str = ""
    attributes: list[Pair] = []


class _Status(msgspec.Struct, gc=False):
    code: Any = None


class Record(msgspec.Struct, gc=False):
    """A span, or a log record: an event of its own, that names the span it happened in."""

    traceId: str = ""
    spanId: str = ""
    startTimeUnixNano: Any = None
    endTimeUnixNano: Any = None
    timeUnixNano: Any = None
    attributes: list[Pair] = []
    events: list[Event] | None = None
    status: _Status | None = None
    eventName: str | None = None
    body: _Value | None = None
    service: str = ""

    def event(self) -> Event | None:
        """Return the event that a log record is, what its body tells among its attributes."""
        if self.startTimeUnixNano is not None:
            return None
        names = [pair.value.stringValue for pair in self.attributes if pair.key == "event.name"]
        name = self.eventName or (names[0] if names else None)
        if not name:
            return None
        inside = self.body.kvlistValue if self.body else None
        return Event(name, [*self.attributes, *(inside.values if inside else ())])


class _Scope(msgspec.Struct):
    spans: list[msgspec.Raw] = []
    logRecords: list[msgspec.Raw] = []


class _About(msgspec.Struct, frozen=True):
    attributes: list[Pair] = []


class _Resource(msgspec.Struct):
    resource: _About = _About()
    scopeSpans: list[_Scope] = []
    scopeLogs: list[_Scope] = []
    instrumentationLibrarySpans: list[_Scope] = []


class _Batch(msgspec.Struct):
    resourceSpans: list[_Resource] | None = None
    resourceLogs: list[_Resource] | None = None


read_record = msgspec.json.Decoder(Record).decode
_batch = msgspec.json.Decoder(_Batch).decode
_encode = msgspec.json.Encoder().encode


def records(line: Line) -> Iterator[Line | str]:
    """Yield each span and log record of a batch as a line of its own; one alone is one already."""
    try:
        batch = _batch(line.data)
    except (ValueError, RecursionError):
        yield reasons.json_problem(line.data) or reasons.MALFORMED_REQUEST
        return
    if batch.resourceSpans is None and batch.resourceLogs is None:
        yield line
        return
    for resource in (*(batch.resourceSpans or ()), *(batch.resourceLogs or ())):
        service = _service(resource)
        scopes = (resource.scopeSpans, resource.instrumentationLibrarySpans, resource.scopeLogs)
        for scope in (scope for listed in scopes for scope in listed):
            for record in (*scope.spans, *scope.logRecords):
                yield Line(_served_by(service, bytes(record)), line.source, line.number)


def told(pairs: Iterable[Pair]) -> dict[str, Any]:
    """Return attributes as plain values."""
    # Nearly all are texts: a call of `_plain` for each would take longer than the rest.
    return {
        pair.key: text if (text := pair.value.stringValue) is not None else _plain(pair.value)
        for pair in pairs
    }


def _service(resource: _Resource) -> msgspec.Raw | None:
    for pair in resource.resource.attributes:
        if pair.key == SERVICE and pair.value.stringValue:
            return msgspec.Raw(_encode(pair.value.stringValue))
    return None


def _served_by(service: msgspec.Raw | None, record: bytes) -> bytes:
    """Return a record with the service beside its own fields: a batch says it once for all."""
    if service is None or not record.startswith(b"{") or record == b"{}":
        return record
    return b'{"service":' + bytes(service) + b"," + record[1:]


def _plain(value: _Value) -> Any:
    """Return the member of an AnyValue that is set; integers come as strings."""
    if value.stringValue is not None:
        return value.stringValue
    if value.intValue is not None:
        return int(value.intValue)
    if value.doubleValue is not None:
        return float(value.doubleValue)
    if value.boolValue is not None:
        return value.boolValue
    if value.arrayValue is not None:
        return [_plain(item) for item in value.arrayValue.values]
    return None if value.kvlistValue is None else told(value.kvlistValue.values)
