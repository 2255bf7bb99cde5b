"""Any server that speaks OpenAI's API: one POST, one whole answer, to chat or to decisions."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp

from stepdown.core.ports import Complete
from stepdown.errors import UpstreamError
from stepdown.wire.retry_after import told_s

__all__ = ["DECISIONS", "PROVIDER", "OpenAICompatible"]

_CONNECT_S = 2.0
_QUOTED = 200
_LARGEST = 64 * 1024 * 1024


class OpenAICompatible:
    """The provider; `timeout_s` is what one answer may take, `path` stands behind the API root.

    The address is the word of whoever runs the command, private or not, and nothing that a log or a
    caller says comes near it: it isn't checked as the gateway's upstreams are. Redirects are not
    followed, so that a key stays with it.
    """

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
        root = source.rstrip("/")
        if root.count("/") == 2:  # an address without a path
            root += "/v1"
        headers = {"content-type": "application/json"}
        if api_key is not None:
            headers["authorization"] = f"Bearer {api_key}"
        timeout = aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=_CONNECT_S)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:

            async def complete(body: bytes) -> bytes:
                return await _post(session, f"{root}/{self._path}", body)

            yield complete


async def _post(session: aiohttp.ClientSession, url: str, body: bytes) -> bytes:
    try:
        async with session.post(url, data=body, allow_redirects=False) as response:
            answer = bytearray()
            async for chunk in response.content.iter_any():
                answer += chunk
                if len(answer) > _LARGEST:
                    raise UpstreamError(f"{url} sends more than any answer needs; ask another.")
    except (aiohttp.ClientError, OSError) as problem:
        raise UpstreamError(
            f"{url} does not answer ({type(problem).__name__}); check the address and the network.",
            unsent=isinstance(
                problem, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError
            ),
        ) from problem
    if response.status != 200:
        quoted = answer[:_QUOTED].decode("utf-8", "replace")
        raise UpstreamError(
            f"{url} answered with status {response.status}: {quoted}",
            response.status,
            told_s(response.headers),
        )
    return bytes(answer)


PROVIDER = OpenAICompatible()
DECISIONS = OpenAICompatible(name="openai-decisions", path="decisions")
