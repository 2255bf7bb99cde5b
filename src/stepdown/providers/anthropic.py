"""Anthropic's API: chat requests in, chat completions out, asked as messages."""

import time
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from fractions import Fraction

from stepdown.core.ports import Batches, Complete
from stepdown.providers.anthropic_batches import AnthropicBatches, asked_as_messages
from stepdown.providers.reaching import Reached, reaching
from stepdown.wire.anthropic_bodies import completion_of_message

__all__ = ["PROVIDER", "Anthropic"]

_VERSION = "2023-06-01"


class Anthropic:
    """The provider; `timeout_s` is what one answer may take."""

    name = "anthropic"
    batch_share = Fraction(1, 2)

    def __init__(self, timeout_s: float = 600.0) -> None:
        self._timeout_s = timeout_s

    @asynccontextmanager
    async def connect(self, source: str, api_key: str | None = None) -> AsyncGenerator[Complete]:
        """Give a function that completes chat requests at the API root `source`."""
        async with self._reached(source, api_key) as api:

            async def complete(body: bytes) -> bytes:
                said = await api.post("messages", asked_as_messages(body))
                return completion_of_message(said, int(time.time()))

            yield complete

    @asynccontextmanager
    async def batches(self, source: str, api_key: str | None = None) -> AsyncGenerator[Batches]:
        """Give the batches of messages at the API root `source`."""
        async with self._reached(source, api_key) as api:
            yield AnthropicBatches(api)

    def _reached(self, source: str, api_key: str | None) -> AbstractAsyncContextManager[Reached]:
        headers = {"anthropic-version": _VERSION}
        return reaching(
            source, headers | ({} if api_key is None else {"x-api-key": api_key}), self._timeout_s
        )


PROVIDER = Anthropic()
