"""What other formats cost beside the native one, and how long a scan of much code takes."""

import importlib.util
import json
import statistics
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stepdown.cli.bench.figures import Figure
from stepdown.cli.bench.scale import audited, write_log
from stepdown.core.ports import Progress
from stepdown.scan import scan_code

__all__ = ["FORMATS", "audit_formats", "code_scan"]

_CALLS = 50_000
_ROUNDS = 3

Line = dict[str, Any]


def _litellm(call: Line) -> Line:
    """Return the call as a standard logging payload of LiteLLM's callbacks."""
    request, response = call["request"], call["response"]
    return {
        "id": call["id"],
        "call_type": "acompletion",
        "status": "success",
        "model": request["model"],
        "custom_llm_provider": "openai",
        "messages": request["messages"],
        "model_parameters": {},
        "response": {"id": call["id"], "object": "chat.completion", **response},
        "startTime": call["time"],
        "endTime": call["time"] + call["latency_ms"] / 1000,
        "response_cost": 0.0012,
        **response["usage"],
        "metadata": call["metadata"],
    }


def _otlp(call: Line) -> Line:
    """Return the call as an OTLP line of one span, with the newest names of the conventions."""
    response = call["response"]
    began = int(call["time"] * 10**9)
    asked = [
        {"role": one["role"], "parts": [{"type": "text", "content": one["content"]}]}
        for one in call["request"]["messages"]
    ]
    (choice,) = response["choices"]
    parts = [{"type": "text", "content": choice["message"]["content"]}]
    said = [{"role": "assistant", "parts": parts, "finish_reason": choice["finish_reason"]}]
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": call["request"]["model"],
        "gen_ai.response.model": response["model"],
        "gen_ai.response.id": call["id"],
        "gen_ai.input.messages": json.dumps(asked),
        "gen_ai.output.messages": json.dumps(said),
        "gen_ai.usage.input_tokens": response["usage"]["prompt_tokens"],
        "gen_ai.usage.output_tokens": response["usage"]["completion_tokens"],
        "trace": call["metadata"]["trace"],
    }
    number = int(call["id"].rpartition("-")[2])
    span = {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(began),
        "endTimeUnixNano": str(began + call["latency_ms"] * 10**6),
        "attributes": [{"key": key, "value": _value(value)} for key, value in attributes.items()],
    }
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]}


def _value(value: str | int) -> Line:
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


FORMATS: dict[str, Callable[[Line], Line]] = {"OTLP lines": _otlp, "LiteLLM payloads": _litellm}


def audit_formats(data: Path, progress: Progress) -> Sequence[Figure]:
    """Audit the same 50,000 calls as native, OTLP and LiteLLM lines, in rounds of all three."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        native = folder / "native.jsonl"
        write_log(data, native, _CALLS)
        logs = {"native lines": native}
        for label, written in FORMATS.items():
            logs[label] = folder / f"{label}.jsonl"
            with native.open() as lines, logs[label].open("w") as file:
                file.writelines(json.dumps(written(json.loads(line))) + "\n" for line in lines)
        spent: dict[str, list[float]] = {label: [] for label in logs}
        for turn in range(_ROUNDS):
            for label, log in logs.items():
                progress("auditing", turn, _ROUNDS)
                cpu, _, _ = audited(log, folder / f"{label}-{turn}")
                spent[label].append(cpu)
    return _rates(spent)


def _rates(spent: dict[str, list[float]]) -> list[Figure]:
    base = spent["native lines"]
    figures: list[Figure] = []
    for label, seconds in spent.items():
        rate = _CALLS / statistics.median(seconds)
        figures.append(Figure(f"audit of {label}, calls a CPU second", f"{rate:,.0f}", rate))
        if seconds is not base:
            ratios = [ours / theirs for ours, theirs in zip(base, seconds, strict=True)]
            share = statistics.median(ratios)
            note = f"{min(ratios):.2f}–{max(ratios):.2f} in {len(ratios)} rounds"
            name = f"audit of {label}, rate as a share of native lines'"
            figures.append(Figure(name, f"{share:.2f}", share, 0.60, note=note))
    return figures


_LINES = 200_000
_PLANTED = 10
"""One file in so many calls a model."""

_STRANGE = frozenset(("site-packages", "test", "tests", "idlelib", "lib2to3"))

_PYTHON = """

def asked_at_{0}(text):
    from openai import OpenAI
    return OpenAI().chat.completions.create(
        model="gpt-5.2",
        messages=[
            {{"role": "system", "content": "Name the queue {0}."}},
            {{"role": "user", "content": text}},
        ],
    )
"""
_TYPESCRIPT = """
import OpenAI from "openai";
const client = new OpenAI();
export async function askedAt{0}(text: string): Promise<unknown> {{
  return client.chat.completions.create({{
    model: "gpt-5.2",
    messages: [
      {{ role: "system", content: "Name the queue {0}." }},
      {{ role: "user", content: text }},
    ],
  }});
}}
"""


def code_scan(data: Path, progress: Progress) -> Sequence[Figure]:
    """Scan 200,000 lines: the standard library's, with call sites planted in every tenth file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        planted = _repository(folder)
        began, spent = time.monotonic(), time.process_time()
        found = scan_code(folder, progress)
        wall, cpu = time.monotonic() - began, time.process_time() - spent
    seen = sorted(site.file for site in found.sites)
    wrong = len(set(seen) ^ set(planted)) + len(seen) - len(set(seen))
    note = f"{cpu:.1f} CPU seconds, {found.files:,} files, {len(seen):,} call sites"
    return [
        Figure(f"scan of {found.lines:,} lines", f"{wall:.1f} s", wall, 20, True, note=note),
        Figure("planted call sites missed or invented", f"{wrong}", wrong, 0, True, must=True),
    ]


def _repository(folder: Path) -> list[str]:
    """Write about 200,000 lines of code; return the files that call a model, once each."""
    library = Path(sysconfig.get_path("stdlib"))
    grammar = importlib.util.find_spec("tree_sitter_typescript") is not None
    planted: list[str] = []
    lines = 0
    # Its tests hold files that are no code, on purpose.
    inside = (path for path in sorted(library.rglob("*.py")) if not _STRANGE & {*path.parts})
    for number, path in enumerate(inside):
        written = {f"module{number}.py": path.read_bytes()}
        if number % _PLANTED == 0:
            written[f"module{number}.py"] += _PYTHON.format(number).encode()
            planted.append(f"module{number}.py")
        if number % (5 * _PLANTED) == 0 and grammar:
            written[f"page{number}.ts"] = _TYPESCRIPT.format(number).encode()
            planted.append(f"page{number}.ts")
        for name, code in written.items():
            (folder / name).write_bytes(code)
            lines += code.count(b"\n")
        if lines >= _LINES:
            break
    return planted
