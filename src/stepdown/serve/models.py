"""`/v1/models`: the upstream's list, if it can be had, and our own models beside it."""

from typing import Any, cast
from urllib.parse import unquote

import msgspec

from stepdown.serve.capture import Turn
from stepdown.serve.gateway import Gateway
from stepdown.serve.headers import forwarded
from stepdown.serve.ours import send_own
from stepdown.serve.passing import pass_through
from stepdown.serve.replies import Receive, Send, json_reply, problem
from stepdown.serve.upstream import Unanswered, whole_body

__all__ = ["list_models", "one_model"]

_PATIENCE_S = 5.0
_OK = 200


async def list_models(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
    """List `auto`, `stepdown/<task>` for each routed task, and the upstream's own models."""
    models = [*_own(gateway), *await _upstreams(gateway, turn)]
    await send_own(turn, send, json_reply({"object": "list", "data": models}))


async def one_model(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
    """Describe one model; what is not ours is asked of the upstream."""
    wanted = unquote(turn.path.partition("/models/")[2].partition("?")[0])
    for model in _own(gateway):
        if model["id"] == wanted:
            await send_own(turn, send, json_reply(model))
            return
    if gateway.upstream.configured and not wanted.startswith("stepdown/"):
        await pass_through(gateway, turn, receive, send)
        return
    message = f"There is no model {wanted[:80]!r}; GET /v1/models lists them."
    await send_own(turn, send, problem(404, message, "model_not_found", param="model"))


def _own(gateway: Gateway) -> list[dict[str, Any]]:
    loaded = gateway.loaded
    routed = [task.name for task in loaded.tasks.tasks() if task.id in loaded.routes]
    return [
        {
            "id": name,
            "object": "model",
            "created": gateway.started_at,
            "owned_by": "stepdown",
        }
        for name in ("auto", *(f"stepdown/{name}" for name in routed))
    ]


async def _upstreams(gateway: Gateway, turn: Turn) -> list[dict[str, Any]]:
    if not gateway.upstream.configured:
        return []
    headers = forwarded(turn.headers, gateway.settings.api_key)
    limit = gateway.settings.limits.upstream_bytes
    try:
        async with gateway.upstream.answer(
            "GET", "/models", headers, b"", first_byte_s=_PATIENCE_S
        ) as reached:
            if reached.response.status != _OK:
                return []
            answer = msgspec.json.decode(await whole_body(reached.response, limit, _PATIENCE_S))
    except (Unanswered, ValueError, RecursionError):
        return []
    data = cast("dict[str, Any]", answer).get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list):
        return []
    return [cast("dict[str, Any]", m) for m in cast("list[Any]", data) if isinstance(m, dict)]
