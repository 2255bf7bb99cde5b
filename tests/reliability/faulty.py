"""A gateway in a process of its own whose disk can be made to fail: full, slow to fsync, or broken.

It relays everything, keeps its store on a small disk of its own where that is asked for, and tells
at its end what the store holds.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["ROOT", "Faulty", "faulty_gateway", "needs", "strace"]

ROOT = Path(__file__).parents[2]

CHILD = """
import json, os, signal, sqlite3, subprocess, sys, time
from contextlib import closing, suppress
from pathlib import Path
from stepdown.core.tasks import TaskIndex
from stepdown.serve.live import Loaded
from stepdown.serve.server import serve
from stepdown.serve.settings import Settings, Timeouts
from stepdown.store.sqlite import SqliteOutbox

given = json.loads(sys.argv[1])
path = Path(given["path"])
path.parent.mkdir(parents=True, exist_ok=True)
if given["disk_bytes"]:
    size = f"size={given['disk_bytes']}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", path.parent], check=True)
began = time.monotonic()
outbox = SqliteOutbox(path, durability=given["durability"], max_items=given["max_items"])
took = time.monotonic() - began
ballast = path.parent / "ballast"

def fill(*_):
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 512)

signal.signal(signal.SIGUSR1, fill)
signal.signal(signal.SIGUSR2, lambda *_: ballast.unlink())
settings = Settings(
    port=0,
    base_url=given["upstream"],
    durability=given["durability"],
    refuses_uncaptured=given["refuses"],
    timeouts=Timeouts(commit=5.0 if given["durability"] == "sync" else 0.25),
)
load = lambda generation: Loaded(TaskIndex([]), {}) if generation is None else None
serve(settings, load, outbox, on_ready=lambda url: print(url, took, flush=True))
outbox.close()
health = outbox.health()
with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
    ids = [row[0] for row in reader.execute("SELECT id FROM calls")]
    (gaps,) = reader.execute("SELECT coalesce(sum(dropped), 0) FROM gaps").fetchone()
    (sound,) = reader.execute("PRAGMA integrity_check").fetchone()
print(json.dumps({"ids": ids, "gaps": gaps, "dropped": health.dropped, "sound": sound}))
"""


class Faulty:
    """A running gateway; `took` is how long its store took to open."""

    def __init__(self, process):
        self.process = process
        self.url, took = process.stdout.readline().split()
        self.took = float(took)

    @property
    def pid(self):
        """The gateway's own process, where another one watches it."""
        with open(
            f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="utf-8"
        ) as file:
            return int((file.read().split() or [self.process.pid])[0])

    def ask(self, text="hello", path="/v1/chat/completions"):
        """Return the status of an answer, its call's id, and its body."""
        turns = [{"role": "user", "content": text}]
        body = json.dumps({"model": "gpt-4o", "messages": turns}).encode()
        headers = {"content-type": "application/json", "connection": "close"}
        request = urllib.request.Request(self.url + path, body, headers)
        if path.startswith("/readyz"):
            request = urllib.request.Request(self.url + path)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                data = reply.read()
                return reply.status, reply.headers["x-stepdown-request-id"], data
        except urllib.error.HTTPError as refused:
            return refused.code, None, refused.read()

    def signal(self, number):
        os.kill(self.pid, number)

    def end(self):
        """End it by a signal and return what its store holds."""
        self.signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return json.loads(out)


@contextmanager
def faulty_gateway(path, upstream, *, before=(), disk_bytes=0, **more):
    """Run the gateway; `before` is what runs it (strace, say)."""
    given = {"path": str(path), "upstream": upstream, "disk_bytes": disk_bytes}
    given |= {"durability": "journal", "max_items": 10_000, "refuses": False} | more
    if disk_bytes:
        before = ("unshare", "-m", *before)
    with subprocess.Popen(
        [*before, sys.executable, "-B", "-c", CHILD, json.dumps(given)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield Faulty(process)
        finally:
            if process.poll() is None:
                process.kill()


def needs(*programs):
    """Skip the test where a program is missing, or this process may not use it."""
    for program in programs:
        if shutil.which(str(program)) is None:
            pytest.skip(f"there is no {program} here")
    if "unshare" in programs:
        tried = subprocess.run(
            ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
            capture_output=True,
            check=False,
        )
        if tried.returncode:
            pytest.skip("this user can't mount a disk of its own")
    if "strace" in programs:
        tried = subprocess.run(["strace", "-f", "true"], capture_output=True, check=False)
        if tried.returncode:
            pytest.skip("this user can't trace processes")


def strace(*injections):
    """Return the command that runs another with faults in its system calls.

    Not with `--seccomp-bpf`, though it is quicker: strace 6.1 then kills at no call but the first.
    """
    calls = ",".join(sorted({one.split(":")[0] for one in injections}))
    inject = [f"--inject={one}" for one in injections]
    return ("strace", "-f", "-o", "/dev/null", f"--trace={calls}", *inject)


def in_threads(work, count):
    """Run work(number) in so many threads at once and wait for all."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def seconds_until(condition, patience=30.0):
    """Return how long it took until something was so."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < patience
        time.sleep(0.05)
    return time.monotonic() - began
