"""Who watches requests: the access log and the spans, each with a queue and a thread of its own."""

from collections.abc import Callable, MutableMapping
from typing import Any

from stepdown.serve.access import AccessLog
from stepdown.serve.afterwards import Afterwards, ended
from stepdown.serve.capture import Turn
from stepdown.serve.replies import Send
from stepdown.serve.settings import Settings
from stepdown.serve.spans import SpanSender
from stepdown.serve.trace import begun, carried

__all__ = ["Watch"]


class Watch:
    """Hears of every request's beginning and end; `on` says whether anybody listens.

    Raises:
        UsageError: the access log can't be opened.
        Unavailable: spans are to be sent, and the extra for it is not installed.
    """

    def __init__(self, settings: Settings, clean: Callable[[bytes], bytes]) -> None:
        self._spans = SpanSender(settings.otlp_endpoint, clean) if settings.otlp_endpoint else None
        self._log = AccessLog(settings.access_log, clean) if settings.access_log else None
        self._share = settings.trace_share
        self._queues: dict[str, Afterwards] = {}
        if self._log is not None:
            self._queues["access_log"] = Afterwards(
                "The access log", self._log.write, self._log.close
            )
        if self._spans is not None:
            self._queues["spans"] = Afterwards("Sending spans", self._spans.send, self._spans.close)
        self.on = bool(self._queues)

    def began(self, turn: Turn, send: Send) -> Send:
        """Note a request's place in its trace; what it returns counts the bytes that are sent."""
        if self._spans is not None:
            turn.trace = begun(turn.headers, self._share)
            turn.headers = carried(turn.headers, turn.trace)

        async def counting(message: MutableMapping[str, Any]) -> None:
            turn.sent += len(message.get("body", b""))
            await send(message)

        return counting

    def ended(self, turn: Turn, path: str, seconds: float) -> None:
        """Take a request that is over; spans are of API calls alone."""
        one = ended(turn, path, seconds)
        called = one.decision is not None or bool(one.asked)
        for name, queue in self._queues.items():
            if name == "access_log" or (called and one.trace and one.trace.sampled):
                queue.add(one)

    def counts(self) -> dict[str, float]:
        """Return how much was dropped or failed, for the metrics."""
        return {
            f"{name}_{what}": float(count)
            for name, queue in self._queues.items()
            for what, count in (("dropped", queue.dropped), ("failed", queue.failed))
        }

    def close(self) -> None:
        """Write and send what waits, for a moment."""
        for queue in self._queues.values():
            queue.close()
