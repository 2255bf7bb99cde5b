"""Anthropic's message batches: the requests go up in one body, the results come as lines.

Their batches have neither name nor metadata, and tell whose they are only once they have ended: in
the custom_ids of the results. One whose id was never heard is known by its time and size till then.
"""

import time
from collections.abc import AsyncGenerator, Iterable, Set
from contextlib import aclosing
from datetime import datetime
from io import BytesIO

import msgspec

from stepdown.core.ports import BatchAnswer, BatchState
from stepdown.errors import InputError, UpstreamError
from stepdown.providers.reaching import Reached, read, readable
from stepdown.wire.anthropic_bodies import completion_of_message, messages_body
from stepdown.wire.openai import parse_request

__all__ = ["AnthropicBatches", "asked_as_messages"]

_PATH = "messages/batches"
_SKEW_S = 3600.0
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}


class _Counts(msgspec.Struct):
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    def total(self) -> int:
        return self.processing + self.done() + self.canceled + self.expired

    def done(self) -> int:
        return self.succeeded + self.errored


class _Batch(msgspec.Struct):
    id: str
    processing_status: str
    request_counts: _Counts
    created_at: datetime


class _Page(msgspec.Struct):
    data: list[_Batch]
    has_more: bool = False


class _Fault(msgspec.Struct):
    type: str = ""
    message: str = ""
    error: "_Fault | None" = None


class _Result(msgspec.Struct):
    type: str
    message: msgspec.Raw = msgspec.Raw(b"null")
    error: _Fault | None = None


class _Line(msgspec.Struct):
    custom_id: str
    result: _Result


class AnthropicBatches:
    """The message batches of one workspace of theirs, as `core.ports.Batches`."""

    most_items = 100_000
    most_bytes = 256 * 10**6

    def __init__(self, api: Reached) -> None:
        self._api = api

    async def find(
        self, name: str, keys: Set[str], since: float, others: Set[str]
    ) -> BatchState | None:
        """Look for a batch of this many items created after `since`; an ended one has to have one
        of the keys in its results."""
        params = {"limit": "1000"}
        while True:
            page = read(await self._api.get(_PATH, params), _Page)
            for batch in page.data:
                alike = batch.request_counts.total() == len(keys) and _after(batch, since)
                if alike and batch.id not in others and await self._may_be(batch, keys):
                    state = _state(batch)
                    return msgspec.structs.replace(state, sure=state.ended)
            if not page.has_more or not page.data or not _after(page.data[-1], since):
                return None
            params["after_id"] = page.data[-1].id

    async def _may_be(self, batch: _Batch, keys: Set[str]) -> bool:
        if batch.processing_status != "ended":
            return True
        async with aclosing(self.answers(batch.id)) as answers:
            async for answer in answers:
                return answer.key in keys
        return False

    async def create(self, name: str, items: Iterable[tuple[str, bytes]]) -> BatchState:
        """Create the batch; the name is not told, they have no place for it."""
        file, before = BytesIO(), b'{"requests":['
        for key, body in items:
            params = msgspec.Raw(asked_as_messages(body))
            file.write(before + msgspec.json.encode({"custom_id": key, "params": params}))
            before = b","
        file.write(b"]}")
        file.seek(0)
        return _state(read(await self._api.post(_PATH, file), _Batch))

    async def state(self, id: str) -> BatchState:
        """Return how far a batch is; they count what is done only when all is."""
        return _state(read(await self._api.get(f"{_PATH}/{id}"), _Batch))

    async def answers(self, id: str) -> AsyncGenerator[BatchAnswer]:
        """Yield what became of the items, from the batch's own address: never one that it names."""
        async with aclosing(self._api.lines(f"{_PATH}/{id}/results")) as lines:
            async for data in lines:
                line = readable(data, _Line)
                if line is not None:
                    yield _answer(line)


def asked_as_messages(body: bytes) -> bytes:
    """Return the messages request for the body of a chat request.

    Raises:
        InputError: it is no chat request.
        UpstreamError: it is one that they have no counterpart for, so they would refuse it.
    """
    request = parse_request(body)
    try:
        return messages_body(request)
    except InputError as problem:
        raise UpstreamError(str(problem), 400) from problem


def _after(batch: _Batch, since: float) -> bool:
    return batch.created_at.timestamp() >= since - _SKEW_S


def _state(batch: _Batch) -> BatchState:
    counts = batch.request_counts
    status = batch.processing_status
    return BatchState(batch.id, status, status == "ended", counts.done(), counts.total())


def _answer(line: _Line) -> BatchAnswer:
    result = line.result
    if result.type == "succeeded":
        message = completion_of_message(bytes(result.message), int(time.time()))
        return BatchAnswer(line.custom_id, message, 200)
    if result.type != "errored":
        return BatchAnswer(line.custom_id, None, None, result.type)
    fault = result.error or _Fault("unknown")
    fault = fault.error or fault  # it comes wrapped in another one
    why = f"{fault.type}: {fault.message}"[:200]
    return BatchAnswer(line.custom_id, None, _STATUSES.get(fault.type, 500), why)
