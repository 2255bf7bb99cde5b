"""The ASGI application: a table of paths, and one place where nothing unforeseen gets out."""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from stepdown.core.routes import Decision
from stepdown.serve.calls import answer_call, route, task_refusal
from stepdown.serve.capture import Turn
from stepdown.serve.dialects import dialect_of
from stepdown.serve.ending import last_word
from stepdown.serve.gateway import Gateway, log, new_turn
from stepdown.serve.headers import Headers, header
from stepdown.serve.metrics import CONTENT_TYPE
from stepdown.serve.models import list_models, one_model
from stepdown.serve.ours import send_own
from stepdown.serve.passing import pass_through
from stepdown.serve.protocol import Hear
from stepdown.serve.replies import (
    Receive,
    Reply,
    Scope,
    Send,
    json_reply,
    problem,
    read_body,
)
from stepdown.serve.roles import ANY, CALLS, Role, admitted_as

__all__ = ["HANDLERS", "App", "hearing", "make_app", "metrics_page", "standing"]

Handler = Callable[[Gateway, Turn, Receive, Send], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_REFUSED = "stepdown.refused"
"""Where a call's scope says that the protocol has refused it meanwhile, and how."""
_RELAYED = Decision("relayed", "no_route", "frontier")


def make_app(gateway: Gateway) -> App:
    """Return the ASGI application of a gateway."""

    table = _table()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = _api_path(scope["path"])
        query = scope["query_string"]
        # The raw path, percent signs and all, is what goes upstream.
        raw = _api_path(scope["raw_path"].decode("latin-1")).removeprefix("/v1")
        turn = new_turn(
            scope["method"], f"{raw}?{query.decode('latin-1')}" if query else raw, scope["headers"]
        )
        turn.dialect = dialect_of(path)
        if gateway.watch.on:
            send = gateway.watch.began(turn, send)
        gateway.metrics.began()
        gateway.under_way += 1
        try:
            await _found(table, path, turn.method)(gateway, turn, receive, send)
        except asyncio.CancelledError:
            # The time to drain is over: who leaves does not cancel what he has asked for.
            if turn.status:
                raise
            await send_own(turn, send, last_word(turn))
        except Exception as bug:
            if turn.status:
                # The answer has begun: all that is left is to close the connection.
                raise
            await send_own(turn, send, _told(bug))
        finally:
            gateway.under_way -= 1
            if not turn.status and (told := scope.get(_REFUSED)):
                turn.id, turn.status, turn.problem = told
            _ended(gateway, turn, path)

    return app


def hearing(gateway: Gateway) -> Hear:
    """Return what is told of the requests that the protocol refuses: they are logged and counted
    as others are."""

    def hear(
        scope: Scope | None, method: str, path: str, headers: Headers, status: int, code: str
    ) -> str:
        turn = new_turn(method, path, headers)
        turn.status, turn.problem = status, code
        if scope is None:
            gateway.metrics.began()
            _ended(gateway, turn, _api_path(path))
        else:
            scope[_REFUSED] = (turn.id, status, code)  # it is told when its call ends
        return turn.id

    return hear


def _told(bug: Exception) -> Reply:
    """Note a fault of our own, and return what its caller is told."""
    # Its message may hold what was asked, so only where it happened is noted.
    where = "".join(traceback.format_tb(bug.__traceback__))
    log.error("A request failed: %s\n%s", type(bug).__name__, where)
    message = "The gateway failed on this request; its log has the details."
    return problem(500, message, "internal_error")


def _ended(gateway: Gateway, turn: Turn, path: str) -> None:
    """Tell whoever counts or writes down what became of requests."""
    seconds = time.monotonic() - turn.begun
    decision, metrics = turn.decision, gateway.metrics
    metrics.ended(decision, turn.task_name, turn.status, seconds, turn.problem)
    if decision is not None:
        if turn.usage is not None:
            metrics.told(decision.tier, turn.usage)
        if turn.first_byte is not None:
            metrics.began_to_answer(decision.tier, turn.first_byte - turn.begun)
    if gateway.watch.on:
        gateway.watch.ended(turn, path, seconds)
    if gateway.settings.verbose:
        _log(gateway, turn, path)


_ROOTS = frozenset(
    (
        "assistants",
        "audio",
        "batches",
        "chat",
        "chatkit",
        "classify",
        "complete",
        "completions",
        "containers",
        "conversations",
        "decisions",
        "detokenize",
        "edits",
        "embeddings",
        "engines",
        "evals",
        "files",
        "fine-tunes",
        "fine_tuning",
        "images",
        "messages",
        "models",
        "moderations",
        "ocr",
        "organization",
        "organizations",
        "realtime",
        "rerank",
        "responses",
        "route",
        "score",
        "skills",
        "threads",
        "tokenize",
        "uploads",
        "vector_stores",
        "videos",
    )
)
"""First parts of API paths; clients differ on whether the base URL holds the `/v1`."""


def _api_path(path: str) -> str:
    """Return a path with the one `/v1` of an API path, however many the client has put there."""
    if path.startswith("/v1/v1/"):
        return path[3:]
    return f"/v1{path}" if path[1:].partition("/")[0] in _ROOTS else path


def _table() -> dict[str, dict[str, Handler]]:
    """Return every path's handlers behind the role that the table of roles gives each.

    Raises:
        LookupError: one has no entry there.
    """
    return {
        path: {
            method: _guard(admitted_as(CALLS, path, method), handler)
            for method, handler in methods.items()
        }
        for path, methods in HANDLERS.items()
    }


def _guard(role: Role, handler: Handler) -> Handler:
    """Return the handler for callers of that role alone."""
    if role == "anyone":
        return handler

    async def guarded(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
        if role == "caller" and gateway.under_way > gateway.settings.limits.requests:
            await send_own(turn, send, _FULL)
            return
        caller = gateway.callers.of(turn.headers)
        if role == "caller" and caller is not None:
            turn.caller = caller
            refusal = gateway.till.admit(caller.key) if caller.key else None
            if refusal is not None:
                await send_own(turn, send, refusal)
                return
            await handler(gateway, turn, receive, send)
        elif role == "watcher" and gateway.may_watch(turn.headers):
            await handler(gateway, turn, receive, send)
        else:
            await send_own(turn, send, _WATCHERS if role == "watcher" else _STRANGER)

    return guarded


def _found(table: Mapping[str, Mapping[str, Handler]], path: str, method: str) -> Handler:
    methods = table.get(path)
    if methods is None:
        # A dot segment would lead out of the API's root, where the gateway's key is good too.
        if not path.startswith("/v1/") or "/.." in path:
            return _not_found
        one_of_models = path.startswith("/v1/models/") and method == "GET"
        return table["/v1/models/*"]["GET"] if one_of_models else table["/v1/*"][ANY]
    return methods.get(method) or _not_allowed(methods)


async def _relayed(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
    refusal = task_refusal(turn)
    if refusal is not None:
        await send_own(turn, send, refusal)
        return
    body = await read_body(receive)
    if body is None:
        return
    turn.body = body
    turn.decision = _RELAYED
    await pass_through(gateway, turn, receive, send)


async def _healthz(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
    await send_own(turn, send, json_reply({"status": "ok"}))


def _status(gateway: Gateway) -> str:
    settings = gateway.settings
    if gateway.draining:
        return "draining"
    if not (gateway.upstream.configured or gateway.loaded.routes):
        return "nothing to serve"
    promised = settings.refuses_uncaptured or settings.durability == "sync"
    return "can't capture" if promised and not gateway.capture.works() else "ready"


async def _readyz(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
    """Tell whether requests should come here and, to watchers, what is not as it should be."""
    shown = standing(gateway) if gateway.may_watch(turn.headers) else {"status": _status(gateway)}
    await send_own(turn, send, json_reply(shown, 200 if shown["status"] == "ready" else 503))


def standing(gateway: Gateway) -> dict[str, object]:
    """Return how the gateway stands."""
    loaded, upstream, down = gateway.loaded, gateway.upstream, gateway.upstream_problem
    return {
        "status": _status(gateway),
        "generation": loaded.generation,
        "tasks": len(loaded.tasks.tasks()),
        "routes": {task: live.route.mode for task, live in loaded.routes.items()},
        "problems": loaded.problems,
        "notes": loaded.notes,
        "policy_problem": gateway.load_problem,
        "config": gateway.config,
        "keys_problem": gateway.keys_problem,
        "students_off": gateway.students.switched_off(),
        "upstream": {
            "address": upstream.address or None,
            "reachable": not down if upstream.configured else None,
            "held_back": upstream.breaker.open,
            "problem": down,
        },
        "upstreams": _upstreams(gateway),
        "routing": gateway.settings.routing.complexity is not None,
        "routing_problem": gateway.settings.routing.problem,
        "capture": gateway.capture.health(),
    }


def _upstreams(gateway: Gateway) -> dict[str, dict[str, object]]:
    return {
        name: {
            "address": link.upstream.address,
            "reachable": not gateway.problems.get(link.upstream.address),
            "held_back": link.upstream.breaker.open,
            "under_way": link.upstream.under_way,
            "problem": gateway.problems.get(link.upstream.address, ""),
        }
        for name, link in gateway.chains.by_name().items()
    }


async def _metrics(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", CONTENT_TYPE)]
    await send_own(turn, send, Reply(200, await metrics_page(gateway), headers))


async def metrics_page(gateway: Gateway) -> bytes:
    """Return the metrics of this process, or of all workers where there are several."""
    siblings = gateway.siblings
    return await siblings.page() if siblings is not None else gateway.metrics.page()


async def _not_found(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
    message = "There is nothing at this path; the API is below /v1."
    await send_own(turn, send, problem(404, message, "not_found"))


def _not_allowed(methods: Mapping[str, Handler]) -> Handler:
    allowed = ", ".join(methods)

    async def refuse(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
        reply = problem(405, f"This path takes {allowed} only.", "method_not_allowed")
        headers = [*reply.headers, (b"allow", allowed.encode())]
        await send_own(turn, send, msgspec.structs.replace(reply, headers=headers))

    return refuse


_FULL = problem(
    503,
    "The gateway has as many requests under way as it takes; try again shortly.",
    "overloaded",
    retry_after_s=1,
)
_STRANGER = problem(
    401, "This gateway needs one of its own keys as the bearer token.", "invalid_api_key"
)
_WATCHERS = problem(
    401,
    "Metrics are for callers on this machine, or with one of the client keys.",
    "invalid_api_key",
)

HANDLERS: Mapping[str, Mapping[str, Handler]] = {
    "/v1/chat/completions": {"POST": answer_call},
    "/v1/messages": {"POST": answer_call},
    "/v1/responses": {"POST": answer_call},
    "/v1/models": {"GET": list_models},
    "/v1/models/*": {"GET": one_model},
    "/v1/route": {"POST": route},
    "/v1/*": {ANY: _relayed},
    "/health": {"GET": _healthz, "HEAD": _healthz},
    "/healthz": {"GET": _healthz, "HEAD": _healthz},
    "/readyz": {"GET": _readyz, "HEAD": _readyz},
    "/metrics": {"GET": _metrics},
}


def _log(gateway: Gateway, turn: Turn, path: str) -> None:
    decision, cleaned = turn.decision, gateway.capture.cleaned
    log.info(
        "%s %s %d %s/%s %s %.1f ms %s",
        turn.method,
        _printable(cleaned(path)[:100]),
        turn.status,
        decision.kind if decision else "-",
        decision.reason if decision else "-",
        turn.task_name or "-",
        (time.monotonic() - turn.begun) * 1000,
        _printable(cleaned(header(turn.headers, b"user-agent"))[:60]),
    )


def _printable(text: str) -> str:
    """Return text that a caller chose as one line: a decoded path may hold line ends."""
    return text if text.isprintable() else repr(text)[1:-1]
