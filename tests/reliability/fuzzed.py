"""What atheris feeds: `python -m tests.reliability.fuzzed TARGET CORPUS [libFuzzer's options]`.

Any exception is a finding.
"""

import contextlib
import importlib
import json
import random
import re
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from stepdown.core.ports import Line, LogFormat
from stepdown.errors import InputError
from stepdown.plugins import log_formats
from stepdown.serve.dialects import CHAT, MESSAGES, RESPONSES, meant
from stepdown.serve.sse import LineTooLong, SsePassage
from stepdown.wire.openai import parse_request

__all__ = ["SEEDS", "TARGETS", "mutated"]

DIALECTS = (CHAT, MESSAGES, RESPONSES)


def requests(data: bytes) -> None:
    """Read a body as a request in every dialect; what is none is an InputError."""
    for dialect in (*DIALECTS, meant(data, "")):
        with contextlib.suppress(InputError):
            parse_request(dialect.chat(data))


def streams(data: bytes) -> None:
    """Pass a stream on in pieces, and add up what it said; its bytes are those that came."""
    step = data[0] % 64 + 1 if data else 1
    for dialect in DIALECTS:
        passage, passed = SsePassage(1_000, dialect.ends), b""
        try:
            for at in range(0, len(data), step):
                passed += passage.feed(data[at : at + step])
        except LineTooLong:
            continue
        assert passed + passage.rest() == data
        dialect.summed(passage.frames)


@cache
def formats() -> list[LogFormat]:
    return log_formats()


def lines(data: bytes) -> None:
    """Read a log of every format; what can't be read is told as a reason."""
    given = [Line(one, "log", n) for n, one in enumerate(data.split(b"\n"), 1)]
    for form in formats():
        for found in form.read(iter(given)):
            assert found is not None, form.name


def answers(data: bytes) -> None:
    """Read an upstream's answer in every dialect."""
    for dialect in DIALECTS:
        with contextlib.suppress(InputError):
            dialect.completion(data)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "requests": requests,
    "streams": streams,
    "answers": answers,
    "lines": lines,
}
SEEDS = {
    "requests": [
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function"}]}',
        b'{"model":"m","system":"s","max_tokens":9,"messages":[{"role":"user","content":[{}]}]}',
        b'{"model":"m","instructions":"i","input":[{"role":"user","content":"x"}]}',
    ],
    "streams": [
        b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\ndata: [DONE]\n\n',
        b'event: message_start\ndata: {"type":"message_start","message":{"content":[]}}\n\n',
        b'data: {"type":"response.completed","response":{"output":[]}}\n\n',
    ],
    "answers": [b'{"choices":[{"message":{"content":"x"}}]}', b'{"content":[],"usage":{}}'],
    "lines": [b'{"request":{"messages":[]},"response":{"choices":[]}}', b'{"resourceSpans":[]}'],
}


VALUES: list[Any] = [None, True, 0, -1, 1.5, 10**30, "", "x", "text", "function", [], [None], {}]
WORDS = re.findall(
    r"\w+",
    """
    role content type text name arguments function tool_calls tool_use tool_result id index
    delta choices message messages usage input output tools parameters input_schema error
    finish_reason stop_reason model system instructions call_id output_text function_call status
    response item
    """,
)


def mutated(data: bytes, most: int, draw: random.Random, plainly: Callable[..., bytes]) -> bytes:
    """Change a value of one line's JSON; bytes where there is none, and half of the time."""
    rows = data.split(b"\n")
    at = draw.randrange(len(rows))
    begins = b"data: " if rows[at].startswith(b"data: ") else b""
    try:
        value = json.loads(rows[at].removeprefix(begins)) if draw.random() < 0.7 else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict | list):
        return plainly(data, most)
    nodes = [value]
    for node in nodes:
        inner = node.values() if isinstance(node, dict) else node
        nodes += [one for one in inner if isinstance(one, dict | list)]
    node = draw.choice(nodes)
    new = draw.choice([*VALUES, *nodes[-1:]])
    new = json.loads(json.dumps(new))
    if isinstance(node, dict):
        node[draw.choice([*node, draw.choice(WORDS)])] = draw.choice([new, draw.choice(WORDS)])
    elif node and draw.random() < 0.7:
        node[draw.randrange(len(node))] = new
    else:
        node.append(new)
    rows[at] = begins + json.dumps(value).encode()
    if draw.random() < 0.2:
        rows.insert(at, rows[at])
    return b"\n".join(rows)[:most]


def main() -> None:
    """Fuzz until libFuzzer's time is over."""
    from pathlib import Path

    atheris: Any = importlib.import_module("atheris")  # in requirements/fuzz.txt alone

    target, corpus, *options = sys.argv[1:]
    for number, seed in enumerate(SEEDS[target]):
        Path(corpus, f"seed-{number}").write_bytes(seed)
    # Only what is ours is watched, and so has to be imported again.
    for name in [one for one in sys.modules if one.partition(".")[0] == "stepdown"]:
        del sys.modules[name]
    with atheris.instrument_imports(include=["stepdown"]):
        watched = importlib.import_module("tests.reliability.fuzzed")

    def mutator(data: bytes, most: int, seed: int) -> bytes:
        return mutated(data, most, random.Random(seed), atheris.Mutate)

    atheris.Setup([sys.argv[0], corpus, *options], watched.TARGETS[target], custom_mutator=mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
