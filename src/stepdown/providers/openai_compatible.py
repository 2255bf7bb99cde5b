"""Any server that speaks OpenAI's API: one POST, one whole answer, to chat or to decisions."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from fractions import Fraction

from stepdown.core.ports import Batches, Complete
from stepdown.providers.openai_batches import OpenAIBatches
from stepdown.providers.reaching import Reached, reaching

__all__ = ["DECISIONS", "PROVIDER", "OpenAICompatible"]


class OpenAICompatible:
    """The provider; `timeout_s` is what one answer may take, `path` stands behind the API root.

    The address is the word of whoever runs the command, private or not, and nothing that a log or a
    caller says comes near it: it isn't checked as the gateway's upstreams are. Redirects are not
    followed, so that a key stays with it.
    """

    batch_share = Fraction(1, 2)

    def __init__(
        self,
        timeout_s: float = 600.0,
        name: str = "openai-compatible",
        path: str = "chat/completions",
    ) -> None:
        self.name = name
        self._timeout_s = timeout_s
        self._path = path

    @asynccontextmanager
    async def connect(self, source: str, api_key: str | None = None) -> AsyncGenerator[Complete]:
        """Give a function that completes requests at the API root `source`."""
        async with self._reached(source, api_key) as api:

            async def complete(body: bytes) -> bytes:
                return await api.post(self._path, body)

            yield complete

    @asynccontextmanager
    async def batches(self, source: str, api_key: str | None = None) -> AsyncGenerator[Batches]:
        """Give the batches of chat completions at the API root `source`."""
        async with self._reached(source, api_key) as api:
            yield OpenAIBatches(api)

    def _reached(self, source: str, api_key: str | None) -> AbstractAsyncContextManager[Reached]:
        headers = {} if api_key is None else {"authorization": f"Bearer {api_key}"}
        return reaching(source, headers, self._timeout_s)


PROVIDER = OpenAICompatible()
DECISIONS = OpenAICompatible(name="openai-decisions", path="decisions")
