"""Make the demo log from three public data sets: `python -m stepdown.cli.demo.make_log DATA`.

What is real: every customer text and every answer (people labelled them). What stands in: the
people's labels are in the place of a frontier model's answers, the prompts are ours, token counts
are estimated at four characters a token, times are spread evenly over 60 days. No latency is
written, as nobody measured one.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import zstandard

from stepdown.cli.sets import read_set

__all__ = ["calls", "write"]

MODEL = "gpt-5.2"
START = datetime(2026, 9, 1, tzinfo=UTC)
DAYS = 60
HELD_OUT_EACH = 200
TOOL_TRAIN_ROWS = 8000


def routing(data: Path, split: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield (id, request, message) of the ticket-routing task, from Banking77."""
    labels = sorted({row["label"] for row in read_set(data, "banking77", "train")})
    system = (
        "You route messages that customers send to a bank. Answer with exactly one queue name from "
        "this list and nothing else: " + ", ".join(labels) + "."
    )
    for row in read_set(data, "banking77", split):
        messages = [
            {"role": "system", "content": system},
            {"role": "user", "content": row["text"]},
        ]
        yield row["id"], {"messages": messages}, {"content": row["label"]}


def _slots(row: dict[str, Any]) -> dict[str, str]:
    return {name: value[0] for name, value in row["fields"].items()}


def extraction(data: Path, split: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield (id, request, message) of the extraction task, from the DSTC8 spans."""
    names = sorted(
        {name for row in read_set(data, "dstc8_spans", "train") for name in row["fields"]}
    )
    nullable = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    schema = {
        "type": "object",
        "properties": dict.fromkeys(names, nullable),
        "required": names,
        "additionalProperties": False,
    }
    form = {
        "type": "json_schema",
        "json_schema": {"name": "booking_details", "strict": True, "schema": schema},
    }
    system = (
        "You read one turn of a conversation with a booking assistant and return the details that "
        "the customer states, word for word, or null where a detail is not stated."
    )
    for row in read_set(data, "dstc8_spans", split):
        asked = ", ".join(row["context"]["requested_slots"]) or "nothing"
        user = (
            f"Service: {row['domain'].split('_')[0]}\nThe assistant has just asked for: {asked}\n"
            f"Customer: {row['text']}"
        )
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        slots = _slots(row)
        answer = json.dumps({name: slots.get(name) for name in names})
        yield row["id"], {"messages": messages, "response_format": form}, {"content": answer}


def tool_calls(data: Path, split: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield (id, request, message) of the tool-calling task, from SNIPS."""
    arguments: dict[str, set[str]] = {}
    for row in read_set(data, "snips", "train"):
        arguments.setdefault(row["label"], set()).update(row["fields"])
    tools = [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": f"Carry out the request: {name}.",
                "parameters": {
                    "type": "object",
                    "properties": {argument: {"type": "string"} for argument in sorted(known)},
                },
            },
        }
        for name, known in sorted(arguments.items())
    ]
    system = "You are a home assistant. Call the one tool that does what the user asks."
    for row in read_set(data, "snips", split):
        messages = [
            {"role": "system", "content": system},
            {"role": "user", "content": row["text"]},
        ]
        call = {
            "id": f"call_{_hash(row['id'])[:12]}",
            "type": "function",
            "function": {"name": row["label"], "arguments": json.dumps(_slots(row))},
        }
        body = {"messages": messages, "tools": tools}
        yield row["id"], body, {"content": None, "tool_calls": [call]}


TASKS = {"ticket-routing": routing, "booking-details": extraction, "home-assistant": tool_calls}


def calls(data: Path, split: str, each: int | None = None) -> list[dict[str, Any]]:
    """Return native log lines of the three tasks, shuffled by content hash, at most `each` a task.

    Test rows whose text also stands in the training split are left out.
    """
    found: list[tuple[str, dict[str, Any]]] = []
    for name, make in TASKS.items():
        limit = each or (TOOL_TRAIN_ROWS if name == "home-assistant" else None)
        made = sorted(
            ((_hash(i), i, body, message) for i, body, message in make(data, split)),
            key=lambda item: item[0],
        )
        seen: set[str] = set()
        if split == "test":
            seen = {body["messages"][-1]["content"].lower() for _, body, _ in make(data, "train")}
        fresh = [m for m in made if m[2]["messages"][-1]["content"].lower() not in seen]
        found.extend(
            (key, _line(i, name, body, message)) for key, i, body, message in fresh[:limit]
        )
    found.sort(key=lambda item: item[0])
    step = timedelta(days=DAYS) / max(len(found), 1)
    begin = START if split == "train" else START + timedelta(days=DAYS)
    for at, (_, line) in enumerate(found):
        line["time"] = (begin + at * step).isoformat(timespec="seconds").replace("+00:00", "Z")
    return [line for _, line in found]


def _line(name: str, task: str, body: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    answer = message["content"] or message["tool_calls"][0]["function"]["arguments"]
    asked = max(1, len(json.dumps(body)) // 4)
    said = max(1, len(answer) // 4)
    choice = {
        "index": 0,
        "message": {"role": "assistant", **message},
        "finish_reason": "tool_calls" if "tool_calls" in message else "stop",
    }
    usage = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
    return {
        "id": name,
        "time": "",
        "request": {"model": MODEL, **body},
        "response": {
            "id": f"chatcmpl-{_hash(name)[:16]}",
            "object": "chat.completion",
            "model": MODEL,
            "choices": [choice],
            "usage": usage,
        },
        "metadata": {"stepdown_task": task},
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write(data: Path, folder: Path) -> None:
    """Write `log.jsonl.zst` and `held_out.jsonl.zst` into `folder`."""
    parts = {"log": calls(data, "train"), "held_out": calls(data, "test", HELD_OUT_EACH)}
    for name, lines in parts.items():
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        packed = zstandard.ZstdCompressor(level=19).compress(text.encode())
        (folder / f"{name}.jsonl.zst").write_bytes(packed)
        sys.stderr.write(f"{name}: {len(lines)} calls, {len(packed):,} bytes\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(__file__).parent)
