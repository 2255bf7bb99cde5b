"""D-2 and D-5: capture is killed at the system calls that it makes, and fsync fails."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from tests.reliability.faulty import faulty_gateway, needs, seconds_until, strace

from stepdown.store.sqlite import SqliteOutbox, read_lines

CALLS = ("pwrite64", "write", "fdatasync", "ftruncate", "unlink", "rename")

WRITER = """
import os, sys, threading, time
from pathlib import Path
from stepdown.core.ports import Exchange
from stepdown.store import sqlite as module
from stepdown.store.drain import drain_once
module._CHECKPOINT_EVERY = 10
module._CHECKPOINT_BYTES = 20_000
folder, durability, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
moved = os.open(folder / "moved", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
class Sink:
    def store(self, batch):
        for row in batch.calls:
            os.write(moved, row[1].encode() + b"\\n")
outbox = module.SqliteOutbox(folder / "calls.db", durability=durability)
for number in range(count):
    told, arrived = [], threading.Event()
    def tell(durable, told=told, arrived=arrived):
        told.append(durable)
        arrived.set()
    key = f"{os.getpid()}-{number}"
    if outbox.submit(Exchange(key, 0.0, key.encode() * 100), tell):
        tell(not outbox.health().error)
    arrived.wait()
    os.write(1, f"{key} {told[0]}\\n".encode())
    if not told[0]:
        time.sleep(0.1)
    if number % 8 == 7 and len(sys.argv) == 4:
        drain_once(outbox, Sink())
outbox.close(2.0)
os.write(1, f"error: {outbox.health().error}\\n".encode())
"""


def writer(folder, before=(), durability="journal", count=40, *more):
    """Run the writer and return what it acknowledged, in order, and its last word."""
    done = subprocess.run(
        [*before, sys.executable, "-B", "-c", WRITER, folder, durability, str(count), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
        timeout=120,
    )
    lines = done.stdout.split("\n")[:-1]
    last = lines.pop() if lines and lines[-1].startswith("error:") else ""
    return [tuple(line.split(" ")) for line in lines], last, done.returncode


def counted(folder):
    """Return how often the writer makes each system call when nothing goes wrong."""
    log = folder / "log"
    trace = ("strace", "-f", "--seccomp-bpf", "-o", log, f"--trace={','.join(CALLS)}")
    told, _, _ = writer(folder, trace)
    assert len(told) == 40
    text = log.read_text("utf-8")
    return {call: text.count(f" {call}(") for call in CALLS}


def killed_at(folder, call, number):
    """Kill the writer at a thread's so-manieth call, then look for all that it acknowledged.

    Calls are counted for each thread: no thread may get so far, and then nothing is killed and
    None returned.
    """
    folder.mkdir()
    told, _, status = writer(folder, strace(f"{call}:signal=SIGKILL:when={number}"))
    if not status:
        return None
    assert status == -signal.SIGKILL
    path = folder / "calls.db"
    for _ in range(3):
        SqliteOutbox(path).close()
    stored = [line.decode() for line in read_lines(path)]
    keys = {line[: len(line) // 100] for line in stored}
    assert len(keys) == len(stored)
    moved = (folder / "moved").read_text("utf-8").split("\n")[:-1]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    acknowledged = {key for key, durable in told if durable == "True"}
    assert acknowledged <= keys | set(moved), (call, number)
    return len(acknowledged)


def sweep(tmp_path, points):
    tried = [killed_at(tmp_path / f"{call}-{n}", call, n) for call, n in points]
    killed = [acknowledged for acknowledged in tried if acknowledged is not None]
    assert len(killed) > len(points) / 2
    return f"killed at {len(killed)} system calls, {sum(killed)} acknowledged, 0 lost"


@pytest.mark.reliability
def test_d2_killed_at_some_system_calls(tmp_path, figure):
    needs("strace")
    found = counted(tmp_path)
    assert found["pwrite64"] > 100
    points = [
        (call, n)
        for call, often in found.items()
        for n in (1, 2, often // 3, often // 2, often - 1, often)
        if 0 < n <= often
    ]
    figure(sweep(tmp_path, sorted(set(points))))


@pytest.mark.nightly
@pytest.mark.timeout(3000)
def test_d2_killed_at_every_system_call(tmp_path, figure):
    needs("strace")
    found = counted(tmp_path)
    points = [(call, n) for call, often in found.items() for n in range(1, often + 1)]
    figure(f"{sweep(tmp_path, points)}; {found}")


@pytest.mark.reliability
def test_d5_an_fsync_that_fails_once_is_not_acknowledged(tmp_path, figure):
    needs("strace")
    told, last, status = writer(
        tmp_path, strace("fdatasync:error=EIO:when=9"), "sync", 20, "no-drain"
    )
    assert (status, last) == (0, "error: ")
    answers = [durable for _, durable in told]
    # The one whose fsync failed, and those that came before the next one worked.
    assert 0 < answers.count("False") < 5
    assert answers[-1] == "True"
    assert len(list(read_lines(tmp_path / "calls.db"))) == 20
    figure("EIO once: 0 acknowledged by the failed fsync, all of them on disk afterwards")


@pytest.mark.reliability
def test_d5_after_fsyncs_that_always_fail_nothing_is_acknowledged(tmp_path, figure):
    needs("strace")
    told, last, status = writer(
        tmp_path, strace("fdatasync:error=EIO:when=9+"), "sync", 20, "no-drain"
    )
    assert status == 0
    answers = [durable for _, durable in told]
    first = answers.index("False")
    assert set(answers[first:]) == {"False"}
    assert "calls.db can't be written" in last
    figure(f"EIO from then on: {first} acknowledged before, 0 after")


@pytest.mark.reliability
@pytest.mark.parametrize("durability", ["sync", "journal"])
def test_d5_a_gateway_that_can_t_keep_its_promise_is_not_ready(tmp_path, upstream, durability):
    needs("strace")
    before = strace("fdatasync:error=EIO:when=12+", "pwrite64:error=EIO:when=60+")
    path = tmp_path / "calls.db"
    with faulty_gateway(path, upstream.url, before=before, durability=durability) as gateway:
        assert gateway.ask()[0] == 200
        assert gateway.ask(path="/readyz")[0] == 200
        for _ in range(40):
            assert gateway.ask()[0] == 200
        seconds_until(lambda: b"can't be written" in gateway.ask(path="/readyz")[2])
        # In `journal` answers go on and calls wait: it serves as promised, the disk aside.
        expected = 503 if durability == "sync" else 200
        assert gateway.ask(path="/readyz")[0] == expected
        os.kill(gateway.pid, signal.SIGKILL)
