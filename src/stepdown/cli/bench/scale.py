"""How long an audit takes and how much memory it needs, as whole processes on generated logs."""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stepdown.cli.bench.figures import Figure
from stepdown.cli.sets import read_set
from stepdown.core.ports import Progress

__all__ = ["audit_rate", "audited", "write_log"]

SIZES = (100_000, 300_000, 1_000_000)
LINE_BYTES = 2048
_INSTRUCTIONS = (
    "You route the messages of a bank's customers. Today is {date}. Answer with one queue name.",
    "You are {name}'s assistant at a bank. Say which of the queues below a message belongs to.",
    "Classify the message. Ticket {ticket}. Return the queue's name and nothing else.",
    "Read what the customer wrote on {date} and name the queue that should answer it.",
    "Label this message for {name} of the support team. Use the queue names only.",
)
_NAMES = ("Amina", "Bruno", "Chloe", "Daniel", "Elena", "Farid", "Grace", "Hiro", "Ines", "Jonas")


def write_log(data: Path, path: Path, count: int, seed: int = 0) -> None:
    """Write `count` native lines of about 2 KB: five prompts over Banking77's texts."""
    pick = random.Random(seed)
    texts = [(row["text"], row["label"]) for row in read_set(data, "banking77", "train")]
    with open(path, "w", encoding="utf-8") as file:
        for number in range(count):
            text, label = pick.choice(texts)
            file.write(_line(pick, number, text, label))


def _line(pick: random.Random, number: int, text: str, label: str) -> str:
    system = pick.choice(_INSTRUCTIONS).format(
        date=f"2026-{pick.randint(1, 12):02}-{pick.randint(1, 28):02}",
        name=pick.choice(_NAMES),
        ticket=pick.randint(10_000, 9_999_999),
    )
    answer = {"role": "assistant", "content": label}
    line: dict[str, Any] = {
        "id": f"call-{number}",
        "time": 1_790_000_000 + number,
        "request": {
            "model": "gpt-5.2",
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": text},
            ],
        },
        "response": {
            "model": "gpt-5.2",
            "choices": [{"index": 0, "message": answer, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 400, "completion_tokens": 5},
        },
        "latency_ms": pick.randint(300, 3000),
    }
    short = json.dumps(line)
    # What a real line carries beside the texts: ids, fingerprints, headers. It fills up to 2 KB.
    line["metadata"] = {"trace": pick.randbytes(max(0, LINE_BYTES - len(short) - 30) // 2).hex()}
    return json.dumps(line) + "\n"


def audited(log: Path, workspace: Path) -> tuple[float, float, float]:
    """Run one audit pinned to one core; return CPU seconds, wall seconds and peak megabytes."""
    core = min(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "stepdown", "audit", str(log), "--json"]
    probe = (
        "import os,resource,subprocess,sys,time;"
        f"os.sched_setaffinity(0,{{{core}}});began=time.monotonic();"
        "subprocess.run(sys.argv[1:],check=True,stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL);"
        "u=resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(u.ru_utime+u.ru_stime,time.monotonic()-began,u.ru_maxrss/1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, *command, "--workspace", str(workspace)],
        capture_output=True,
        text=True,
        check=True,
    )
    cpu, wall, peak = map(float, done.stdout.split())
    return cpu, wall, peak


def audit_rate(data: Path, progress: Progress) -> Sequence[Figure]:
    """Audit 100,000, 300,000 and 1,000,000 calls of 2 KB, each as a process of its own."""
    figures: list[Figure] = []
    rates: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.jsonl"
        for at, size in enumerate(SIZES):
            progress("auditing", at, len(SIZES))
            write_log(data, log, size)
            cpu, wall, peak = audited(log, Path(folder) / f"workspace-{size}")
            rates.append(cpu / size)
            last = size == SIZES[-1]
            note = f"{wall:.1f} s wall, {log.stat().st_size / size:,.0f} bytes a call"
            figures += [
                Figure(
                    f"audit of {size:,} calls, CPU seconds",
                    f"{cpu:.1f} s",
                    cpu,
                    90 if last else None,
                    True,
                    note=note,
                ),
                Figure(
                    f"audit of {size:,} calls, peak memory",
                    f"{peak:.0f} MB",
                    peak,
                    700 if last else None,
                    True,
                ),
            ]
    slope = rates[-1] / rates[0]
    name = "CPU time a call at 1,000,000 over that at 100,000"
    figures.append(Figure(name, f"{slope:.2f}", slope, 1.1, True, note="linear is 1"))
    return figures
