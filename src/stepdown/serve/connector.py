"""The client's connections: to addresses that were checked, and not to what never comes to a point.

An upstream may say `100 Continue` and the like as often as it wants before it answers, and the
client reads on without a pause: this counts. It also tells whether a request went out on a
connection that an earlier one had used: only such a one may have been closed before it was asked.
"""

from contextvars import ContextVar
from functools import partial
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler

__all__ = ["KEPT", "CheckedConnector"]

KEPT: ContextVar[bool] = ContextVar("KEPT", default=False)
"""Whether the present task's last request went out on a kept connection."""

_MOST_EARLY = 16
_EARLY = range(100, 200)


class _Handler(ResponseHandler):
    """One connection of the client."""

    _early = 0
    used = False

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Take a response's head; too many that are no answer end the connection."""
        early = data[0].code in _EARLY
        self._early += early
        if self._early > _MOST_EARLY:
            if self.transport is not None:
                self.transport.abort()
            return
        if not early:
            self._early = 0
        super().feed_data(data, size)


class CheckedConnector(aiohttp.TCPConnector):
    """Makes at most `limit` connections, each to an address of the resolver's."""

    def __init__(self, limit: int, resolver: AbstractResolver) -> None:
        super().__init__(limit=limit, resolver=resolver)
        self._factory = partial(_Handler, loop=self._loop)

    async def connect(self, req: Any, traces: Any, timeout: aiohttp.ClientTimeout) -> Any:
        """Give a connection for a request, and note whether it is a kept one."""
        KEPT.set(False)
        connection = await super().connect(req, traces, timeout)
        handler = connection.protocol
        if isinstance(handler, _Handler):
            KEPT.set(handler.used)
            handler.used = True
        return connection
