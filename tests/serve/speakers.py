"""What providers say in messages and responses, written out by hand: bodies and stream events."""

import base64
import json
import struct
from typing import Any

USAGE = {"input_tokens": 5, "output_tokens": 3}


def message(model, text):
    return {
        "id": "msg_up",
        "type": "message",
        "role": "assistant",
        "model": f"{model}-2026",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
    }


def message_events(model, words):
    opened = message(model, "") | {"content": [], "stop_reason": None}
    block = {"type": "text", "text": ""}
    yield {"type": "message_start", "message": opened}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    yield {"type": "ping"}
    for word in words:
        delta = {"type": "text_delta", "text": f"{word} "}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    stopped = {"stop_reason": "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": stopped, "usage": {"output_tokens": 3}}
    yield {"type": "message_stop"}


def response(model, text, status="completed") -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "msg_up", "type": "message", "status": status, "role": "assistant"}
    return {
        "id": "resp_up",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": f"{model}-2026",
        "output": [item | {"content": [part]}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": USAGE | {"total_tokens": 8},
    }


def response_events(model, words):
    opened = response(model, "", "in_progress") | {"output": []}
    at = {"item_id": "msg_up", "output_index": 0, "content_index": 0}
    whole = response(model, "".join(f"{word} " for word in words))
    item = whole["output"][0]
    part = item["content"][0]
    yield {"type": "response.created", "response": opened}
    begun = item | {"content": []}
    yield {"type": "response.output_item.added", "output_index": 0, "item": begun}
    yield {"type": "response.content_part.added", **at, "part": part | {"text": ""}}
    for word in words:
        yield {"type": "response.output_text.delta", **at, "delta": f"{word} "}
    yield {"type": "response.output_text.done", **at, "text": part["text"]}
    yield {"type": "response.content_part.done", **at, "part": part}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": whole}


def embeddings(asked):
    vector: Any = [0.25, -0.5]
    if asked.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<2f", *vector)).decode()
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    row = {"object": "embedding", "index": 0, "embedding": vector}
    return {"object": "list", "data": [row], "model": asked["model"], "usage": usage}


def frames(events):
    for number, event in enumerate(events):
        data = json.dumps(event | {"sequence_number": number})
        yield f"event: {event['type']}\ndata: {data}\n\n".encode()


SPEAKERS = {
    "/messages": (message, message_events),
    "/responses": (response, response_events),
}
