"""A small log of one easy task, and how tests call commands."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stepdown.cli import main

TOPICS = {
    "cards": "card pin chip contactless blocked stolen plastic magnetic",
    "loans": "loan mortgage interest instalment borrow repayment credit lender",
    "travel": "abroad currency exchange airport hotel trip foreign holiday",
    "account": "login password profile address email username settings security",
}
FILLER = [
    "please",
    "could",
    "you",
    "tell",
    "me",
    "something",
    "about",
    "my",
    "the",
    "a",
    "problem",
    "question",
    "with",
    "help",
    "today",
]
SYSTEM = "You sort messages. Answer with one of: account, cards, loans, travel."


def line(number, text, answer, system=SYSTEM, days=40.0, count=1200) -> dict[str, Any]:
    """One native log line; calls are spread evenly over `days` days."""
    return {
        "id": f"call-{number}",
        "time": 1_790_000_000 + number * days * 86_400 / count,
        "request": {
            "model": "gpt-5.2",
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": text},
            ],
        },
        "response": {
            "object": "chat.completion",
            "model": "gpt-5.2",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": answer},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 4000, "completion_tokens": 4, "total_tokens": 4004},
        },
        "latency_ms": 700,
    }


def easy(count, seed=0) -> Iterator[dict[str, Any]]:
    """Messages whose topic is plain from two of their words."""
    pick = random.Random(seed)
    for number in range(count):
        topic = pick.choice(sorted(TOPICS))
        words = pick.sample(TOPICS[topic].split(), 2) + pick.sample(FILLER, 6)
        pick.shuffle(words)
        text = " ".join(words) + f" {pick.randint(1, 10**6)}"
        yield line(number, text, topic, count=count)


def write(path: Path, lines):
    """Write log lines as JSONL."""
    path.write_text("".join(json.dumps(item) + "\n" for item in lines), encoding="utf-8")
    return path


def flip_last_byte(path: Path):
    """Damage a file by one byte."""
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


class Ran(NamedTuple):
    """The log, the workspace that `stepdown run` made of it, and what it printed as JSON."""

    log: Path
    workspace: Path
    printed: dict


def call(*arguments):
    """Run one command in this process and return its exit status."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code
