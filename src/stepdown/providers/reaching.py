"""An API over HTTP as every provider reaches it: no redirect, errors that say what happened."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import IO, Any, TypeVar

import aiohttp
import msgspec

from stepdown.errors import UpstreamError
from stepdown.wire.addresses import root_of
from stepdown.wire.retry_after import told_s

__all__ = ["Reached", "reaching", "read", "readable"]

T = TypeVar("T")

_CONNECT_S = 2.0
_QUOTED = 512
"""More than is shown: what is taken out first is known by its whole."""
_PIECE = 256 * 1024
_NEVER_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)
_LARGEST = 64 * 1024 * 1024


class Reached:
    """An API's root with its key; paths stand behind the root, and nothing else is ever asked."""

    def __init__(self, session: aiohttp.ClientSession, root: str) -> None:
        self._session = session
        self._root = root

    async def post(self, path: str, body: bytes | IO[bytes]) -> bytes:
        """Return the answer to a JSON body."""
        return await self._whole("POST", path, data=body, headers=_JSON)

    async def upload(self, path: str, form: aiohttp.FormData) -> bytes:
        """Return the answer to a form with a file."""
        return await self._whole("POST", path, data=form)

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> bytes:
        """Return what stands there."""
        return await self._whole("GET", path, params=params)

    async def lines(self, path: str) -> AsyncGenerator[bytes]:
        """Yield the lines of what stands there as they come, without the empty ones."""
        async with self._answer("GET", path) as response:
            held = b""
            async for piece in response.content.iter_chunked(_PIECE):
                *whole, held = (held + piece).split(b"\n")
                for line in whole:
                    if line.strip():
                        yield line
                if len(held) > _LARGEST:
                    raise _too_much(response.url)
            if held.strip():
                yield held

    async def _whole(self, method: str, path: str, **sent: Any) -> bytes:
        async with self._answer(method, path, **sent) as response:
            answer = bytearray()
            async for piece in response.content.iter_any():
                answer += piece
                if len(answer) > _LARGEST:
                    raise _too_much(response.url)
            return bytes(answer)

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, **sent: Any
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        url = f"{self._root}/{path}"
        try:
            async with self._session.request(method, url, allow_redirects=False, **sent) as answer:
                if answer.status != 200:
                    quoted = (await answer.content.read(_QUOTED)).decode("utf-8", "replace")
                    raise UpstreamError(
                        f"{url} answered with status {answer.status}: {quoted}",
                        answer.status,
                        told_s(answer.headers),
                    )
                yield answer
        except (aiohttp.ClientError, OSError) as problem:
            raise UpstreamError(
                f"{url} does not answer ({type(problem).__name__}); check the address and the "
                "network.",
                unsent=isinstance(problem, _NEVER_SENT),
            ) from problem


def _too_much(url: object) -> UpstreamError:
    return UpstreamError(f"{url} sends more than any answer needs; ask another.")


_JSON = {"content-type": "application/json"}


@asynccontextmanager
async def reaching(
    source: str, headers: Mapping[str, str], timeout_s: float
) -> AsyncGenerator[Reached]:
    """Reach the API at `source`, its root with or without /v1; an answer may take `timeout_s`."""
    timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_S)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        yield Reached(session, root_of(source))


def read(body: bytes, kind: type[T]) -> T:
    """Return an answer as a `kind`.

    Raises:
        UpstreamError: it is something else.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError) as problem:
        raise UpstreamError(
            f"The API answers with something else than was asked for ({problem}); check that the "
            "address is one that has batches."
        ) from problem


def readable(line: bytes, kind: type[T]) -> T | None:
    """Return one line of many as a `kind`, or None where it is something else."""
    try:
        return msgspec.json.decode(line, type=kind)
    except (ValueError, RecursionError):
        return None
