"""Paying a teacher at full speed, and being killed while at it: the whole command, on a socket.

`python -m stepdown.cli.bench.labelling URL TEXT` asks a teacher with nothing around it, for the
comparison: what a machine that others share lets through at that time.
"""

import asyncio
import json
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec

from stepdown.cli.bench.figures import Figure
from stepdown.cli.bench.gateway.processes import rss_mb
from stepdown.cli.sets import read_set
from stepdown.core.labels import Spend
from stepdown.core.ports import Progress
from stepdown.errors import Refusal
from stepdown.providers.openai_compatible import PROVIDER
from stepdown.store.ledger import read_spend
from stepdown.store.reading import open_reader

__all__ = ["Desk", "Killed", "RecordedTeacher", "desk_of", "killed", "labelling"]

_LATENCY_S = 0.05
_AT_ONCE, _ITEMS = 32, 6_400
_KILLS, _KILLED_ITEMS, _KILLED_AT_ONCE = 20, 2_000, 4
_READ, _WRITTEN = 2_500_000_000_000, 10_000_000_000_000
_CONFIG = """[defaults]
second_questions = 0.0
[teacher]
base_url = "{url}"
usd_per_million_input = 2.5
usd_per_million_output = 10.0
"""
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class _Turn(msgspec.Struct):
    content: str


class _Asked(msgspec.Struct):
    messages: list[_Turn]


class RecordedTeacher:
    """Replays answers by the last message, each after a while, and writes down every call it got.

    `bill` has the message and the attodollars of each call, `heard` when it came.
    """

    def __init__(self, answers: dict[str, str], latency_s: float = _LATENCY_S) -> None:
        self.bill: list[tuple[str, int]] = []
        self.heard: list[float] = []
        self.told = 0.0
        self.port = 0
        self._answers = answers
        self._latency_s = latency_s
        self._ready = threading.Event()
        self._end: Callable[[], object] = self._ready.clear
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), daemon=True)
        self._thread.start()
        self._ready.wait()

    def rate(self) -> float:
        """Return the answers a second, from the first call to the last answer."""
        return len(self.bill) / (self.told - self.heard[0])

    def take(self) -> list[tuple[str, int]]:
        """Return the bill, and begin a new one."""
        bill, self.bill, self.heard = self.bill, [], []
        return bill

    def close(self) -> None:
        """End it."""
        self._end()
        self._thread.join()

    async def _serve(self) -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        self._end = lambda: loop.call_soon_threadsafe(ended.set)
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0, backlog=256)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await ended.wait()
        server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError), closing(writer):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                said = self._said(body)
                await asyncio.sleep(self._latency_s)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(said) + said)
                self.told = time.monotonic()

    def _said(self, body: bytes) -> bytes:
        text = msgspec.json.decode(body, type=_Asked).messages[-1].content
        read, written = len(body) // 4, 8
        self.heard.append(time.monotonic())
        self.bill.append((text, read * _READ + written * _WRITTEN))
        message = {"role": "assistant", "content": self._answers[text]}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": read, "completion_tokens": written}
        return json.dumps({"model": "m", "choices": [choice], "usage": usage}).encode()


class Desk(msgspec.Struct):
    """A workspace with one task of logged calls, by their ids, and the teacher that labels them."""

    folder: Path
    texts: dict[str, str]
    task: dict[str, Any]
    teacher: RecordedTeacher

    @property
    def _ledger(self) -> Path:
        return self.folder / "space" / "labels.db"

    def start(self, count: int, concurrency: int) -> subprocess.Popen[bytes]:
        """Start the command that labels so many calls."""
        name = self.task["name"]
        options = (
            "--teacher",
            "m",
            "-n",
            count,
            "--concurrency",
            concurrency,
            "--yes",
            "--budget",
            0.5,
        )
        return _command(self.folder, "label", name, *options, "--config", "stepdown.toml")

    def stored(self) -> set[str]:
        """Return the messages that have a stored answer."""
        if not self._ledger.exists():
            return set()
        with closing(open_reader(self._ledger)) as connection:
            rows = connection.execute("SELECT item FROM items WHERE raw IS NOT NULL").fetchall()
        return {self.texts[item] for (item,) in rows}

    def spend(self) -> Spend:
        """Return what the ledger says was spent."""
        return read_spend(self._ledger, self.task["id"])


@contextmanager
def desk_of(rows: Sequence[tuple[str, str]], latency_s: float = _LATENCY_S) -> Generator[Desk]:
    """Give a desk for logged messages with their answers; another model answered them."""
    teacher = RecordedTeacher(dict(rows), latency_s)
    with tempfile.TemporaryDirectory() as held, closing(teacher):
        folder = Path(held)
        texts = {f"call-{number}": text for number, (text, _) in enumerate(rows)}
        lines = (_line(id, text, answer) for id, (text, answer) in zip(texts, rows, strict=True))
        (folder / "log.jsonl").write_text("".join(lines), encoding="utf-8")
        url = f"http://127.0.0.1:{teacher.port}/v1"
        (folder / "stepdown.toml").write_text(_CONFIG.format(url=url), encoding="utf-8")
        _ended(_command(folder, "audit", "log.jsonl"))
        path = next(folder.glob("space/tasks/*/task.json"))
        yield Desk(folder, texts, json.loads(path.read_bytes()), teacher)


def _line(id: str, text: str, answer: str) -> str:
    asked = [{"role": "system", "content": "Name the intent of the message."}]
    choice = {"message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
    request = {"model": "small", "messages": [*asked, {"role": "user", "content": text}]}
    return json.dumps({"id": id, "request": request, "response": {"choices": [choice]}}) + "\n"


def _command(folder: Path, *arguments: object) -> subprocess.Popen[bytes]:
    given = [sys.executable, "-m", "stepdown", *map(str, arguments), "--workspace", "space"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(given, cwd=folder, stdin=quiet, stdout=quiet, stderr=subprocess.PIPE)


def _ended(running: subprocess.Popen[bytes]) -> None:
    _, said = running.communicate()
    if running.returncode:
        raise Refusal(f"The command failed: {said.decode('utf-8', 'replace')[-300:].strip()}")


def labelling(data: Path, progress: Progress) -> Sequence[Figure]:
    """Label at full speed, then again with kills, and hold the bill against what is told."""
    answers = {row["text"]: row["label"] for row in read_set(data, "banking77", "train")}
    rows = list(answers.items())
    with desk_of(rows[:_ITEMS]) as desk:
        bare = [_bare_rate(desk.teacher, rows[0][0])]
        memory = _watched(desk, lambda done: progress("labelling", done, _ITEMS))
        rate, bill = desk.teacher.rate(), desk.teacher.take()
        bare.append(_bare_rate(desk.teacher, rows[0][0]))
        exact = desk.spend().known == sum(cost for _, cost in bill)
    ideal, reached = _AT_ONCE / _LATENCY_S, fmean(bare)
    early, late = (fmean(part) for part in (memory[: len(memory) // 4], memory[-5:]))
    figures = [
        Figure(
            f"rate at concurrency {_AT_ONCE} and {_LATENCY_S * 1000:.0f} ms, of the ideal one",
            f"{rate / ideal:.1%}",
            rate / ideal,
            0.9,
            note=f"{rate:.0f} of {ideal:.0f} answers a second over {_ITEMS:,}, each on disk before "
            f"and after; spend told {'to the attodollar' if exact else 'WRONG'}",
        ),
        Figure(
            "the same, of what a client that keeps nothing reached before and after",
            f"{rate / reached:.1%}",
            rate / reached,
            spread=", ".join(f"{one:.0f} a second" for one in bare),
        ),
        Figure(
            "resident memory, the end against the first quarter",
            f"{late - early:+.1f} MB of {late:.0f}",
            late - early,
            8.0,
            at_most=True,
        ),
    ]
    with desk_of(rows[:_KILLED_ITEMS]) as desk:
        return figures + _kill_figures(killed(desk, _KILLS, _KILLED_AT_ONCE, progress))


def _bare_rate(teacher: RecordedTeacher, text: str) -> float:
    url = f"http://127.0.0.1:{teacher.port}/v1"
    given = [sys.executable, "-m", "stepdown.cli.bench.labelling", url, text]
    subprocess.run(given, check=True, stdin=subprocess.DEVNULL)
    rate = teacher.rate()
    teacher.take()
    return rate


async def _ask_barely(url: str, text: str) -> None:
    body = json.dumps({"messages": [{"content": text}]}).encode()
    left = iter(range(_ITEMS // 4))
    async with PROVIDER.connect(url) as complete:

        async def work() -> None:
            for _ in left:
                await complete(body)

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))


def _watched(desk: Desk, tell: Callable[[int], None]) -> list[float]:
    """Label all calls; returns the command's resident memory while it asks, in MB."""
    memory: list[float] = []
    running = desk.start(_ITEMS, _AT_ONCE)
    while running.poll() is None:
        if 0 < len(desk.teacher.bill) < _ITEMS:
            memory.append(rss_mb(running.pid))
        tell(len(desk.teacher.bill))
        time.sleep(0.1)
    _ended(running)
    return memory


class Killed(msgspec.Struct, frozen=True):
    """What came of kills: calls that stored items had afterwards, all calls, those beyond one an
    item, what the ledger told of them, and attodollars of the bill that it can't account for."""

    items: int
    kills: int
    again: int
    calls: int
    duplicates: int
    spend: Spend
    unexplained: int


def killed(desk: Desk, kills: int, concurrency: int, progress: Progress) -> Killed:
    """Label all calls of the desk, killed on the way again and again, at random."""
    items, bill = len(desk.texts), desk.teacher.bill
    pick, again, dead = random.Random(0), 0, 0
    while True:
        progress("kills", dead, kills)
        stored, before = desk.stored(), len(bill)
        running = desk.start(items, concurrency)
        if dead < kills:
            rest = items - len(stored)
            goal = before + pick.randint(1, max(1, 2 * rest // (kills - dead + 1)))
            while len(bill) < goal and running.poll() is None:
                time.sleep(0.002)
            time.sleep(pick.uniform(0, _LATENCY_S))
            running.kill()
            running.communicate()
            dead += 1
        else:
            _ended(running)
        again += sum(text in stored for text, _ in bill[before:])
        if running.returncode == 0:
            break
    price = dict(bill)
    extra = {text: number - 1 for text, number in Counter(text for text, _ in bill).items()}
    twice = sum(price[text] * number for text, number in extra.items())
    spend, paid = desk.spend(), sum(cost for _, cost in bill)
    left = paid - spend.known - twice
    return Killed(items, dead, again, len(bill), sum(extra.values()), spend, left)


def _kill_figures(found: Killed) -> list[Figure]:
    count = f"{found.kills} kill -9 at concurrency {_KILLED_AT_ONCE} over {found.items:,} items"
    most = found.items + found.kills * _KILLED_AT_ONCE
    spend = found.spend
    return [
        Figure(
            f"{count}: stored items asked again", str(found.again), found.again, 0, True, must=True
        ),
        Figure("calls in all", f"{found.calls:,}", found.calls, most, True, must=True),
        Figure(
            "attodollars of the bill beyond what is told",
            str(found.unexplained),
            abs(found.unexplained),
            0,
            True,
            note=f"the stored answers cost ${spend.known / 1e18:.6f}; {spend.unknown} possible "
            f"double payments are told, of which {found.duplicates} reached the teacher",
            must=True,
        ),
    ]


if __name__ == "__main__":
    asyncio.run(_ask_barely(*sys.argv[1:]))
