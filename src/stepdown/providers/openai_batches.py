"""OpenAI's batches of chat completions: a file of requests goes up, files of answers come back.

The batch's name stands in its metadata, so that one whose id was never heard is found again.
"""

from collections.abc import AsyncGenerator, Iterable, Set
from contextlib import aclosing
from io import BytesIO
from typing import Any

import aiohttp
import msgspec

from stepdown.core.ports import BatchAnswer, BatchState
from stepdown.providers.reaching import Reached, read, readable

__all__ = ["OpenAIBatches"]

_NAME = "stepdown_batch"
_URL = "/v1/chat/completions"
_ENDED = frozenset(("completed", "failed", "expired", "cancelled"))
_SKEW_S = 3600.0


class _Counts(msgspec.Struct):
    total: int = 0
    completed: int = 0
    failed: int = 0


class _Fault(msgspec.Struct):
    code: str | None = None
    message: str | None = None


class _Faults(msgspec.Struct):
    data: list[_Fault] | None = None


class _Batch(msgspec.Struct):
    id: str
    status: str
    created_at: float = 0.0
    request_counts: _Counts | None = None
    errors: _Faults | None = None
    metadata: dict[str, Any] | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None


class _Page(msgspec.Struct):
    data: list[_Batch]
    has_more: bool = False


class _File(msgspec.Struct):
    id: str


class _Response(msgspec.Struct):
    status_code: int
    body: msgspec.Raw = msgspec.Raw(b"null")


class _Line(msgspec.Struct):
    custom_id: str
    response: _Response | None = None
    error: _Fault | None = None


class OpenAIBatches:
    """The batches of one account, as `core.ports.Batches`."""

    most_items = 50_000
    most_bytes = 200 * 10**6

    def __init__(self, api: Reached) -> None:
        self._api = api

    async def find(
        self, name: str, keys: Set[str], since: float, others: Set[str]
    ) -> BatchState | None:
        """Look for a batch by its name, among those created after `since`."""
        params = {"limit": "100"}
        while True:
            page = read(await self._api.get("batches", params), _Page)
            for batch in page.data:
                if (batch.metadata or {}).get(_NAME) == name:
                    return _state(batch)
            if not page.has_more or not page.data or page.data[-1].created_at < since - _SKEW_S:
                return None
            params["after"] = page.data[-1].id

    async def create(self, name: str, items: Iterable[tuple[str, bytes]]) -> BatchState:
        """Send the requests up as a file, and create the batch of it."""
        file = BytesIO()
        for key, body in items:
            line = {"custom_id": key, "method": "POST", "url": _URL, "body": msgspec.Raw(body)}
            file.write(msgspec.json.encode(line) + b"\n")
        file.seek(0)
        form = aiohttp.FormData({"purpose": "batch"})
        form.add_field("file", file, filename=f"{name}.jsonl", content_type="application/jsonl")
        sent = read(await self._api.upload("files", form), _File)
        asked = {
            "input_file_id": sent.id,
            "endpoint": _URL,
            "completion_window": "24h",
            "metadata": {_NAME: name},
        }
        return _state(read(await self._api.post("batches", msgspec.json.encode(asked)), _Batch))

    async def state(self, id: str) -> BatchState:
        """Return how far a batch is."""
        return _state(await self._batch(id))

    async def answers(self, id: str) -> AsyncGenerator[BatchAnswer]:
        """Yield what became of the items, from the output file and the error file."""
        batch = await self._batch(id)
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            async with aclosing(self._api.lines(f"files/{file}/content")) as lines:
                async for data in lines:
                    line = readable(data, _Line)
                    if line is not None:
                        yield _answer(line)

    async def _batch(self, id: str) -> _Batch:
        return read(await self._api.get(f"batches/{id}"), _Batch)


def _state(batch: _Batch) -> BatchState:
    counts = batch.request_counts or _Counts()
    faults = (batch.errors.data or []) if batch.errors else []
    why = "; ".join(one.message or one.code or "" for one in faults[:3])
    done = counts.completed + counts.failed
    return BatchState(batch.id, batch.status, batch.status in _ENDED, done, counts.total, why)


def _answer(line: _Line) -> BatchAnswer:
    response = line.response
    if response is None:
        fault = line.error or _Fault("unknown")
        return BatchAnswer(line.custom_id, None, None, fault.message or fault.code or "")
    body = bytes(response.body)
    if response.status_code == 200:
        return BatchAnswer(line.custom_id, body, 200)
    return BatchAnswer(
        line.custom_id, None, response.status_code, body[:200].decode("utf-8", "replace")
    )
