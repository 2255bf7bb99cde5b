"""Capture: one exchange as a native log line, committed before the caller gets its last byte.

The request's own bytes stand in the line; keys and headers never do.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from stepdown.core.calls import Request, Usage
from stepdown.core.ports import Exchange, Prediction
from stepdown.core.redaction import Redactor
from stepdown.core.routes import Decision
from stepdown.core.savings import Spent
from stepdown.serve.callers import ANYONE, Caller
from stepdown.serve.chain import Chain
from stepdown.serve.dialects import CHAT, Dialect
from stepdown.serve.headers import Headers
from stepdown.serve.till import Bill
from stepdown.serve.trace import Trace
from stepdown.wire.openai_answers import usage_body

__all__ = ["Capture", "Outbox", "Turn", "exchange_of", "one_line", "quoted"]

_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")
_QUOTED = 2000
_COUNTED = ("committed", "dropped", "waiting", "waiting_bytes", "moved", "behind", "behind_bytes")
"""What an outbox's health may count, and the metrics tell."""

_encoder = msgspec.json.Encoder()
_whole = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Outbox(Protocol):
    """Where exchanges are made durable: `store.sqlite.SqliteOutbox`, or another."""

    def commit(self, exchanges: Sequence[Exchange]) -> bool:
        """Make exchanges durable at once, all or none of them; False: that would take long."""
        ...

    def submit(self, exchange: Exchange, done: Callable[[bool], None]) -> bool:
        """Take an exchange without waiting long. True: it is settled, for good or bad. False:
        `done` is called once, from any thread, when it is."""
        ...

    def health(self) -> msgspec.Struct:
        """Return the state of capture, for `/readyz`."""
        ...


class Turn(msgspec.Struct):
    """One request on its way through the gateway, filled in as it goes.

    `time` is in seconds since the epoch, `begun` on the monotonic clock; `path` is the API's, with
    its query, below `/v1`, `body` the caller's own and `chat` what that is in chat completions.
    `model` is the one that really answers, `audit_of` the id of the answer that this turn is the
    audit of; `way` is whom it is put to where that is not the frontier alone, `tries` how often an
    upstream was asked after the first time. `estimated` says that the usage told is our own
    estimate, and `beside` holds questions that were paid for though their answers were not given.
    `usage` and `completion` are what was answered, `upstream` the address that was asked last,
    `problem` a word for what went wrong, `first_byte` the moment of a stream's first, `sent` how
    many bytes the caller got where somebody counts them. With `redacted` a student is asked the
    request as it is when it was redacted.
    """

    id: str
    time: float
    begun: float
    method: str
    path: str
    headers: Headers
    body: bytes = b""
    chat: bytes = b""
    dialect: Dialect = CHAT
    request: Request | None = None
    hint: str | None = None
    decision: Decision | None = None
    task_name: str = ""
    model: str = ""
    prediction: Prediction | None = None
    audit_of: str = ""
    status: int = 0
    tries: int = 0
    caller: Caller = ANYONE
    estimated: bool = False
    beside: tuple[Spent, ...] = ()
    way: Chain = ()
    usage: Usage | None = None
    completion: bytes = b""
    upstream: str = ""
    problem: str = ""
    first_byte: float | None = None
    sent: int = 0
    trace: Trace | None = None
    bill: Bill | None = None
    redacted: bool = False


class Capture:
    """Writes turns to the outbox, redacted; a broken outbox is never a broken answer.

    `withheld` counts the exchanges whose content was dropped, since the redactor failed on them.
    """

    def __init__(self, outbox: Outbox, commit_s: float, redactor: Redactor) -> None:
        self.withheld = 0
        self._outbox = outbox
        self._together: list[tuple[Exchange, asyncio.Future[bool]]] | None = None
        self._commit_s = commit_s
        self._redactor = redactor

    def take_up(self, commit_s: float, redactor: Redactor) -> None:
        """Keep what comes from now on by other settings."""
        self._commit_s, self._redactor = commit_s, redactor

    def cleaned(self, text: str) -> str:
        """Return a caller's own words, such as a header, without secrets."""
        return self._redactor.clean(text.encode("utf-8", "replace")).decode("utf-8", "replace")

    def health(self) -> msgspec.Struct:
        """Return the outbox's state."""
        return self._outbox.health()

    def works(self) -> bool:
        """Say whether what comes now can be made durable."""
        health = self.health()
        return not (getattr(health, "error", "") or getattr(health, "full", False))

    def counts(self) -> dict[str, float]:
        """Return what the metrics tell of the outbox and of what was withheld."""
        known = msgspec.structs.asdict(self.health())
        found = {f"capture_{name}": float(known[name]) for name in _COUNTED if name in known}
        if "store_error" in known:
            found["capture_store_failing"] = float(bool(known["store_error"]))
        failing = float(not self.works())
        return found | {"capture_failing": failing, "capture_withheld": self.withheld}

    async def keep(self, exchange: Exchange, *, cleaned: bool = False) -> bool:
        """Wait until an exchange is durable, or for as long as is allowed; says whether it is.

        The first in a turn of the loop is committed at once; what else comes in that turn shares
        one commit at its end, which costs each a third of one of its own.
        """
        loop = asyncio.get_running_loop()
        exchange = exchange if cleaned else self.clean(exchange)
        if self._together is None:
            self._together = []
            loop.call_soon(self._commit_together)
            taken = self._outbox.commit([exchange])
        else:
            settled: asyncio.Future[bool] = loop.create_future()
            self._together.append((exchange, settled))
            taken = await settled
        return taken or await self._submitted(exchange, loop)

    def _commit_together(self) -> None:
        """Commit what came after the first, and tell those who wait."""
        waiting, self._together = self._together or (), None
        taken = not waiting
        try:
            taken = taken or self._outbox.commit([exchange for exchange, _ in waiting])
        finally:
            for exchange, settled in waiting:
                if not settled.done():
                    settled.set_result(taken)
                elif not taken:
                    # Its caller has left.
                    self._outbox.submit(exchange, _nobody)

    async def _submitted(self, exchange: Exchange, loop: asyncio.AbstractEventLoop) -> bool:
        """Hand an exchange over, and wait for word of it."""
        settled: asyncio.Future[bool] = loop.create_future()

        def settle(durable: bool) -> None:
            if not settled.done():
                settled.set_result(durable)

        def done(durable: bool) -> None:
            # The loop is closed when the outbox outlives the gateway.
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, durable)

        if self._outbox.submit(exchange, done):
            return self.works()
        timer = loop.call_later(self._commit_s, settle, False)
        try:
            return await settled
        finally:
            timer.cancel()

    def keep_later(self, exchange: Exchange) -> None:
        """Submit an exchange that nobody waits for: its caller has left."""
        self._outbox.submit(self.clean(exchange), _nobody)

    def redacted(self, body: bytes) -> bytes:
        """Return a request as students learn to see it; as it is where that fails, since it is
        for them alone."""
        try:
            return self._redactor.clean(body)
        except Exception:  # noqa: BLE001 - nothing of this is kept, and the caller gets an answer
            return body

    def clean(self, exchange: Exchange) -> Exchange:
        """Return the exchange redacted, itself where nothing was to be; without any content where
        that fails."""
        try:
            line = self._redactor.clean(exchange.line)
            if line == exchange.line:
                return exchange
            # Half a line would be neither redacted nor readable.
            _whole.decode(line)
        except Exception as problem:  # noqa: BLE001 - whatever fails, what was not cleaned is not kept
            self.withheld += 1
            return msgspec.structs.replace(exchange, line=_withheld(exchange, problem))
        return msgspec.structs.replace(exchange, line=line)


def exchange_of(
    turn: Turn,
    latency_ms: float,
    response: bytes | None,
    error: dict[str, Any] | None = None,
    partial: Any = None,
) -> Exchange:
    """Return the turn as a native log line (DESIGN §3.2) with a `stepdown` object beside it.

    `response` is the JSON of the chat.completion; without one `error` says why, and `partial` holds
    what had come of it.
    """
    about = _about(turn, partial)
    line: dict[str, Any] = {
        "id": turn.id,
        "time": _stamp(turn.time),
        "request": one_line(turn.chat or turn.body),
        "response": None if response is None else one_line(response),
        "latency_ms": round(latency_ms, 3),
        "stepdown": about,
    }
    if turn.hint is not None:
        line["metadata"] = {"stepdown_task": turn.hint}
    if error is not None:
        line["error"] = error
    return Exchange(
        turn.id,
        turn.time,
        _encoder.encode(line),
        about["task"],
        about["tier"],
        about["decision"],
        about["reason"],
        about["confidence"],
    )


def _about(turn: Turn, partial: Any) -> dict[str, Any]:
    """Return what the gateway knows of a call; most calls have little of what can be in it."""
    decision = turn.decision
    about: dict[str, Any] = {
        "tier": decision.tier if decision else "",
        "task": decision.task if decision else "",
        "decision": decision.kind if decision else "",
        "reason": decision.reason if decision else "",
        "student": decision.student if decision else "",
        "confidence": decision.confidence if decision else None,
        "model": turn.model,
    }
    if turn.prediction is not None and about["tier"] != "small":
        about["student_answer"] = turn.prediction.answer
    key = turn.caller.key
    if key is not None:
        about["key"], about["key_name"] = key.id, key.name
    if turn.audit_of:
        about["audit_of"] = turn.audit_of
    if partial is not None:
        about["partial"] = partial
    _add_costs(about, turn)
    return about


def _add_costs(about: dict[str, Any], turn: Turn) -> None:
    """Add what a bill needs beyond the answer's own usage; most calls have nothing of it."""
    if turn.tries:
        about["retried"] = turn.tries
    if turn.estimated:
        about["estimated"] = True
    if turn.beside:
        about["beside"] = [
            {"tier": one.tier, "model": one.model, "usage": one.usage and usage_body(one.usage)}
            for one in turn.beside
        ]


def _withheld(exchange: Exchange, problem: Exception) -> bytes:
    """Return a line that says what became of a call, and nothing of what was said in it."""
    why = f"Its content was dropped: redaction failed ({type(problem).__name__})."
    about = {
        "tier": exchange.tier,
        "task": exchange.task,
        "decision": exchange.decision,
        "reason": exchange.reason,
        "confidence": exchange.confidence,
    }
    line: dict[str, Any] = {
        "id": exchange.id,
        "time": _stamp(exchange.time),
        "request": None,
        "response": None,
        "error": {"message": why},
        "stepdown": about,
    }
    return _encoder.encode(line)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def quoted(body: bytes) -> str:
    """Return the beginning of a body that is no JSON, to be kept as text."""
    return body[:_QUOTED].decode("utf-8", "replace")


def one_line(json: bytes) -> msgspec.Raw:
    """Return JSON without line breaks: in JSON they only stand between values."""
    if b"\n" in json or b"\r" in json:
        json = json.translate(_ONE_LINE)
    return msgspec.Raw(json)


def _nobody(durable: bool) -> None:
    """Stand in for a caller who left."""
