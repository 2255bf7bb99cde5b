"""`/v1/models`: the upstream's list, if it can be had, and our own models beside it."""

from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import unquote

import msgspec

from stepdown.serve.capture import Turn
from stepdown.serve.dialects import MESSAGES, Dialect
from stepdown.serve.gateway import Gateway
from stepdown.serve.headers import back, header
from stepdown.serve.ours import headers_of, send_own
from stepdown.serve.passing import pass_through
from stepdown.serve.relay import no_way
from stepdown.serve.replies import Receive, Reply, Send, json_reply, problem, send_reply
from stepdown.serve.upstream import Unanswered, whole_body

__all__ = ["list_models", "one_model"]

_PATIENCE_S = 5.0
_OK = 200
_REFUSED = (401, 403)
_CURSORS = ("after_id=", "before_id=")
_LAST = 253402300800
"""The end of the year 9999, in seconds since the epoch: what no date is after."""


class _Listed(msgspec.Struct, frozen=True):
    """An upstream's own models, and whether another page of them follows."""

    data: list[dict[str, Any]] = []
    has_more: bool = False


_NONE = _Listed()


async def list_models(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
    """List `auto`, `stepdown/<task>` for the caller's routed tasks, and the upstream's own models.

    A caller whose key the upstream refuses hears just that.
    """
    turn.dialect = _spoken(turn)
    there = await _upstreams(gateway, turn)
    if isinstance(there, Reply):
        turn.status = there.status
        await send_reply(send, there, headers_of(turn))
    elif turn.dialect is MESSAGES:
        await send_own(turn, send, json_reply(_page(gateway, turn, there)))
    else:
        models = [*_own(gateway, turn), *there.data]
        await send_own(turn, send, json_reply({"object": "list", "data": models}))


async def one_model(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
    """Describe one model; what is not ours is asked of the upstream."""
    turn.dialect = _spoken(turn)
    wanted = unquote(turn.path.partition("/models/")[2].partition("?")[0])
    for model in _own(gateway, turn):
        if model["id"] == wanted:
            shown = _as_anthropic(model) if turn.dialect is MESSAGES else model
            await send_own(turn, send, json_reply(shown))
            return
    if gateway.chain_of(turn) and not wanted.startswith("stepdown/"):
        await pass_through(gateway, turn, receive, send)
        return
    message = f"There is no model {wanted[:80]!r}; GET /v1/models lists them."
    await send_own(turn, send, problem(404, message, "model_not_found", param="model"))


def _spoken(turn: Turn) -> Dialect:
    """Return the caller's dialect: the path is the same in all."""
    return MESSAGES if header(turn.headers, b"anthropic-version") else turn.dialect


def _own(gateway: Gateway, turn: Turn) -> list[dict[str, Any]]:
    """Return what may be called: no other tasks than the key is for, and `auto` where some model
    may stand for it."""
    loaded, key = gateway.loaded, turn.caller.key
    known = [task.name for task in loaded.tasks.tasks() if task.id in loaded.routes]
    routed = [name for name in known if not (key and key.tasks) or name in key.tasks]
    auto = ("auto",) if loaded.tasks.tasks() or gateway.model_of(turn.dialect) else ()
    return [
        {
            "id": name,
            "object": "model",
            "created": gateway.started_at,
            "owned_by": "stepdown",
        }
        for name in (*auto, *(f"stepdown/{name}" for name in routed))
    ]


def _page(gateway: Gateway, turn: Turn, there: _Listed) -> dict[str, Any]:
    """Return the list as Anthropic's clients read it, page by page: ours are on the first."""
    query = turn.path.partition("?")[2]
    later = any(part.startswith(_CURSORS) for part in query.split("&"))
    own = [] if later else _own(gateway, turn)
    data = [_as_anthropic(model) for model in (*own, *there.data)]
    return {
        "data": data,
        "has_more": there.has_more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def _as_anthropic(model: dict[str, Any]) -> dict[str, Any]:
    """Return a model as Anthropic's clients read it; one of Anthropic's own stays as it is."""
    if model.get("type") == "model":
        return model
    name, created = str(model.get("id", "")), model.get("created")
    seconds = created if isinstance(created, int) and 0 <= created < _LAST else 0
    # Their API has an epoch's date too where it knows none.
    made = datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    return {"type": "model", "id": name, "display_name": name, "created_at": made}


async def _upstreams(gateway: Gateway, turn: Turn) -> _Listed | Reply:
    """Return the upstream's models, none where it can't be asked, or its refusal of the key."""
    chain = gateway.chain_of(turn)
    if not chain or no_way(gateway, turn) is not None:
        return _NONE
    link, (_, query, rest) = chain[0], turn.path.partition("?")
    headers = gateway.forwarded(turn, link)
    limit = gateway.settings.limits.upstream_bytes
    try:
        async with link.upstream.answer(
            "GET", f"/models{query}{rest}", headers, b"", first_byte_s=_PATIENCE_S
        ) as reached:
            status = reached.response.status
            if status != _OK and status not in _REFUSED:
                return _NONE
            body = await whole_body(reached.response, limit, _PATIENCE_S)
            if status in _REFUSED:
                return Reply(status, body, back(reached.response.headers.items()))
            answer = msgspec.json.decode(body)
    except (Unanswered, ValueError, RecursionError):
        return _NONE
    found = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
    data = found.get("data")
    if not isinstance(data, list):
        return _NONE
    models = [cast("dict[str, Any]", m) for m in cast("list[Any]", data) if isinstance(m, dict)]
    return _Listed(models, found.get("has_more") is True)
