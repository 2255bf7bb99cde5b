"""Calls that pass through as they are: embeddings, files, batches and whatever else an API has."""

from stepdown.serve.capture import Turn
from stepdown.serve.gateway import Gateway
from stepdown.serve.headers import back, forwarded
from stepdown.serve.ours import headers_of, send_own
from stepdown.serve.presence import while_there
from stepdown.serve.relay import no_way, reply_to
from stepdown.serve.replies import Receive, Send
from stepdown.serve.upstream import Body, Unanswered

__all__ = ["pass_through"]

_SUCCESS = range(200, 300)


async def pass_through(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
    """Relay any other API call as it is, uncaptured."""
    refusal = no_way(gateway, turn)
    if refusal is not None:
        await send_own(turn, send, refusal)
        return
    await while_there(_pass_through(gateway, turn, send), receive)


async def _pass_through(gateway: Gateway, turn: Turn, send: Send) -> None:
    limits, timeouts = gateway.settings.limits, gateway.settings.timeouts
    # What is kept elsewhere (files, batches) is at one address, and vectors of another model would
    # not fit: here nobody stands in.
    link = gateway.chain_of(turn)[0]
    turn.upstream = link.upstream.address
    try:
        async with (
            gateway.till.passage(turn.caller.key, turn.method, turn.path, turn.body) as bill,
            link.upstream.answer(
                turn.method,
                turn.path,
                forwarded(turn.headers, link.api_key, turn.dialect.key_header),
                turn.body,
                first_byte_s=link.answer_s,
            ) as reached,
        ):
            response = reached.response
            bill.status = response.status
            if response.status in _SUCCESS and link.api_key is None:
                gateway.accepted_upstream(turn.headers)
            streams = response.content_type == "text/event-stream"
            idle_s = timeouts.idle if streams else timeouts.answer
            body = Body(response, limits.relayed_bytes, idle_s)
            try:
                chunk = await body.read()
                turn.status = response.status
                headers = [*back(response.headers.items()), *headers_of(turn)]
                await send(
                    {"type": "http.response.start", "status": turn.status, "headers": headers}
                )
                while chunk:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    chunk = await body.read()
            finally:
                body.end()
            await send({"type": "http.response.body", "body": b""})
    except Unanswered as failure:
        if turn.status:
            # Too late for a status: an answer without its end closes the connection.
            raise
        await send_own(turn, send, reply_to(failure))
