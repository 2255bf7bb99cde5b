"""The way upstream: one client, bound to one address, that says plainly how it failed."""

import asyncio
import io
import math
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import aiohttp
import msgspec
from yarl import URL

from stepdown.errors import UpstreamError
from stepdown.serve.addresses import AddressRefused, CheckedResolver
from stepdown.serve.breaker import Breaker
from stepdown.serve.connector import KEPT, CheckedConnector
from stepdown.serve.presence import Patience
from stepdown.serve.retries import RetryBudget, pause_s
from stepdown.serve.settings import Limits, Timeouts, api_root
from stepdown.serve.sse import LineTooLong, SsePassage

__all__ = ["TOO_LONG", "Body", "Reached", "Unanswered", "Upstream", "read_on", "whole_body"]

_STATUSES = range(200, 600)
_REDIRECTS = range(300, 400)
TOO_LONG = "upstream_too_long"
_FAILING = frozenset((500, 502, 503, 504, 529))
"""Statuses that say that the upstream is in trouble, whatever was asked."""
_NOT_SENT = frozenset(("upstream_unavailable", "upstream_crowded", "upstream_redirects"))
_WHOLE = 2**20
_AFTER_END_S = 0.25
_NOT_MODIFIED = 304


class Unanswered(UpstreamError):
    """The upstream gave no answer that could be passed on; `status` is what the caller gets."""

    def __init__(
        self, status: int, code: str, message: str, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s

    @property
    def sent(self) -> bool:
        """Whether it may have answered, and want money for it, without our hearing of it."""
        return self.code not in _NOT_SENT


class Reached(msgspec.Struct, frozen=True):
    """A response whose body is unread, and how often the upstream was asked for it."""

    response: aiohttp.ClientResponse
    tries: int


class _Question(msgspec.Struct, frozen=True):
    """One request on its way, with the moment after which it is not worth asking."""

    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    first_byte_s: float
    until: float


class Upstream:
    """Sends requests below one API root; redirects are never followed, cookies never kept.

    A key is therefore never sent anywhere but to the address that it was configured for. `retried`
    counts retries since the start, `under_way` the requests of this moment.
    """

    def __init__(
        self,
        base_url: str | None,
        limits: Limits,
        timeouts: Timeouts,
        breaker: Breaker | None = None,
        *,
        allow_private: bool = False,
    ) -> None:
        self.breaker = breaker or Breaker()
        self._root = "" if base_url is None else api_root(base_url, allow_private)
        self.allow_private = allow_private
        self._resolver = CheckedResolver(allow_private, timeouts.connect)
        self._limits = limits
        self._timeouts = timeouts
        self.budget = RetryBudget()
        self.under_way = 0
        self.retried = 0
        self._session: aiohttp.ClientSession | None = None

    @property
    def configured(self) -> bool:
        """Whether there is an upstream at all."""
        return bool(self._root)

    @property
    def address(self) -> str:
        """The root of the API, for messages."""
        return self._root

    async def open(self) -> None:
        """Make the client; it needs a running loop."""
        self._session = aiohttp.ClientSession(
            connector=CheckedConnector(self._limits.upstream_connections, self._resolver),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect),
            skip_auto_headers=("User-Agent", "Content-Type", "Accept"),
            read_bufsize=self._limits.line_bytes // 4,
            trust_env=False,
        )

    def bound(self, limits: Limits, timeouts: Timeouts) -> None:
        """Take up other bounds for the requests to come; connections keep those they began with."""
        self._limits, self._timeouts = limits, timeouts

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def unreachable(self) -> str:
        """Try to connect: "" when it works, else a sentence."""
        url = URL(self._root)
        host, port = url.host or "", url.port or 0
        last: OSError = OSError()
        try:
            async with asyncio.timeout(self._timeouts.connect):
                for found in await self._resolver.resolve(host, port):
                    try:
                        _, writer = await asyncio.open_connection(found["host"], port)
                    except OSError as problem:
                        last = problem
                        continue
                    writer.close()
                    return ""
        except OSError as problem:
            last = problem
        return str(_unreached(self._root, last))

    @asynccontextmanager
    async def answer(
        self,
        method: str,
        path: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        *,
        first_byte_s: float,
        retries: int = 0,
        until: float = math.inf,
    ) -> AsyncGenerator[Reached]:
        """Give the response to one request, its body unread; leaving the block lets go of it.

        `path` is below the root and may have a query. A status that may be another in a moment is
        tried again up to `retries` times, within the budget, and not past the moment `until` on the
        monotonic clock.

        Raises:
            Unanswered: there is none: no connection, none in time, or a redirect; or too many
                requests are under way already.
        """
        if self.under_way >= self._limits.upstream_requests:
            raise Unanswered(
                503,
                "upstream_crowded",
                f"{self.under_way:,} requests to the upstream are under way; try again shortly.",
                1,
            )
        self.under_way += 1
        response = None
        try:
            question = _Question(method, path, headers, body, first_byte_s, until)
            response, tries = await self._reached(question, retries)
            yield Reached(response, tries)
        finally:
            self.under_way -= 1
            # Released only at its end: a body that was not read to the end costs its connection.
            if response is not None:
                response.close()

    async def _reached(
        self, question: _Question, retries: int
    ) -> tuple[aiohttp.ClientResponse, int]:
        """Return the response, and how often it was asked for."""
        self.budget.asked()
        tries = 1
        response = await self._allowed(question)
        # One that is being tried out again is asked once.
        while tries <= retries and not self.breaker.open:
            pause = pause_s(response.status, response.headers, tries - 1)
            if pause is None or time.monotonic() + pause >= question.until:
                break
            if not self.budget.take():
                break
            response.close()
            self.retried += 1
            await asyncio.sleep(pause)
            response = await self._allowed(question)
            tries += 1
        self.breaker.answered(well=response.status not in _FAILING)
        if response.status not in _STATUSES:
            response.close()
            raise Unanswered(
                502,
                "upstream_broke_off",
                f"The upstream at {self._root} answered with a status that is none.",
            )
        if response.status in _REDIRECTS and response.status != _NOT_MODIFIED:
            response.close()
            raise Unanswered(
                502,
                "upstream_redirects",
                f"The upstream at {self._root} redirects; set its final address as base_url.",
            )
        return response, tries

    async def _allowed(self, question: _Question) -> aiohttp.ClientResponse:
        """Ask once, if the breaker allows it, and tell it where nobody answers."""
        wait = self.breaker.wait_s()
        if wait is not None:
            raise _down(self._root, "it failed several times in a row", int(wait) + 1)
        turn = self.breaker.turn
        try:
            return await self._respond(question)
        except Unanswered:
            self.breaker.failed(turn)
            raise
        except BaseException:  # cancelled above all: no outcome, and the leave goes back
            self.breaker.abandoned(turn)
            raise

    async def _respond(self, question: _Question) -> aiohttp.ClientResponse:
        url = URL(self._root + question.path, encoded=True)
        for last in (False, True):
            if self._session is None or self._session.closed:
                raise _down(self._root, "it is no longer configured", 1)
            seconds = min(question.first_byte_s, question.until - time.monotonic())
            patience = Patience(seconds, math.inf)
            try:
                with patience:
                    return await self._session.request(
                        question.method,
                        url,
                        headers=question.headers,
                        data=_data(question.body),
                        allow_redirects=False,
                    )
            except aiohttp.ClientConnectorError as problem:
                raise _unreached(self._root, problem.os_error) from problem
            except aiohttp.ConnectionTimeoutError as problem:
                raise _unreached(self._root, OSError()) from problem
            except (TimeoutError, aiohttp.ServerTimeoutError) as problem:
                raise Unanswered(
                    504,
                    "upstream_timeout",
                    f"The upstream at {self._root} did not answer within {seconds:.3g} s.",
                ) from problem
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as problem:
                # A kept connection that the upstream had closed already: a fresh one may do. Who
                # drops a fresh one may have done the work, and want money for it.
                if last or not KEPT.get():
                    raise _broken(self._root) from problem
                self.retried += 1
            except (aiohttp.ClientError, OSError, ValueError) as problem:
                raise _broken(self._root) from problem
            finally:
                patience.end()
        raise AssertionError("the last try returns or raises")


def _data(body: bytes) -> bytes | io.BytesIO | None:
    """Return a body as the client takes it: a large one in parts, so that the loop goes on."""
    return io.BytesIO(body) if len(body) > _WHOLE else body or None


class Body:
    """The body of a response as it comes, at most `limit` bytes of it.

    What is to come may be waited for `idle_s`, and not past the moment `until`. `end` it at last.
    """

    def __init__(
        self, response: aiohttp.ClientResponse, limit: int, idle_s: float, until: float = math.inf
    ) -> None:
        self._content = response.content
        self._limit = limit
        self._total = 0
        self._idle_s = idle_s
        self._response = response
        self._patience = Patience(idle_s, until, self._lost)
        self.end = self._patience.end

    def flows(self, idle_s: float, until: float = math.inf) -> None:
        """Wait for no part longer than that from here on, and as often as it takes, or until a
        moment."""
        self._idle_s = idle_s
        self._patience.lasts(idle_s, until)

    async def read(self) -> bytes:
        """Return what has come, or b"" at the end.

        Raises:
            Unanswered: it broke off, paused for too long, or is too long.
        """
        content = self._content
        try:
            # Mostly it is here already, and nothing has to be waited for.
            chunk = content.read_nowait()
            while not chunk and not content.at_eof():
                with self._patience:
                    chunk = await content.readany()
        except TimeoutError as problem:
            if self._lost():
                raise _broken_off() from problem
            raise Unanswered(
                504, "upstream_stalled", f"The upstream sent nothing for {self._idle_s:g} s."
            ) from problem
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            raise _broken_off() from problem
        self._total += len(chunk)
        if self._total > self._limit:
            raise Unanswered(
                502,
                TOO_LONG,
                f"The upstream's answer is longer than {self._limit} bytes.",
            )
        return chunk

    def _lost(self) -> bool:
        """Say whether the connection is closed: chunks that are framed wrongly end it, and the
        client does not tell those who wait for the body."""
        connection = self._response.connection
        if connection is None:
            return False  # the whole body is here
        transport = connection.transport
        return transport is None or transport.is_closing()


async def whole_body(
    response: aiohttp.ClientResponse, limit: int, idle_s: float, until: float = math.inf
) -> bytes:
    """Return the whole body; raises as `Body.read` does."""
    body = Body(response, limit, idle_s, until)
    try:
        parts = [await body.read()]
        while parts[-1]:
            parts.append(await body.read())
    finally:
        body.end()
    return b"".join(parts)


def _broken_off() -> Unanswered:
    return Unanswered(
        502, "upstream_broke_off", "The upstream broke off before the end of its answer."
    )


def _down(root: str, why: str, retry_after_s: int) -> Unanswered:
    return Unanswered(
        503,
        "upstream_unavailable",
        f"The upstream at {root} does not answer ({why}); check its address, or try again later.",
        retry_after_s,
    )


def _unreached(root: str, problem: OSError) -> Unanswered:
    refused = isinstance(problem, AddressRefused)
    return _down(root, str(problem) if refused else "it can't be reached", 2)


def _broken(root: str) -> Unanswered:
    return Unanswered(
        502, "upstream_broke_off", f"The upstream at {root} closed the connection unanswered."
    )


async def read_on(body: Body, passage: SsePassage) -> None:
    """Read what follows the end, for a moment: the connection can be used again if it ends too."""
    if not passage.done:
        return
    body.flows(_AFTER_END_S, time.monotonic() + _AFTER_END_S)
    try:
        while chunk := await body.read():
            passage.feed(chunk)
    except (Unanswered, LineTooLong):
        passage.broke_off()
