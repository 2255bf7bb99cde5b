"""A gateway in a process of its own, whose memory can be watched, and callers beside an attack."""

import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import msgspec

MB = 2**20


class Process(msgspec.Struct):
    """A running gateway; `port` on 127.0.0.1, `stderr` all that it has said so far."""

    pid: int
    port: int
    workspace: Path
    stderr: list[str]

    def memory(self, name="VmRSS"):
        """Return its memory in bytes, or with VmHWM the most since `forget`."""
        text = Path(f"/proc/{self.pid}/status").read_text("utf-8")
        return int(re.search(rf"{name}:\s+(\d+) kB", text)[1]) * 1024

    def forget(self):
        """Let the most memory be what it is now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="utf-8")
        return self.memory()

    def post(self, value, path="/v1/chat/completions", headers=()):
        """Return one reply's status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", path, json.dumps(value), dict(headers))
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()


@contextmanager
def gateway_process(workspace, upstream=None, *more, env=()):
    """Run `stepdown serve` on a workspace until the block ends."""
    command = [sys.executable, "-m", "stepdown", "serve", "--port", "0", "--workspace", workspace]
    named = ["--upstream", upstream] if upstream else []
    with subprocess.Popen(
        [*command, *named, *more],
        stderr=subprocess.PIPE,
        text=True,
        cwd=workspace.parent,
        env=os.environ | dict(env),
    ) as process:
        said, ready = [], threading.Event()

        def listen():
            for line in process.stderr or ():
                said.append(line)
                if line.startswith("Ready on"):
                    ready.set()
            ready.set()

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            assert ready.wait(60)
            port = int(re.search(r"Ready on http://127\.0\.0\.1:(\d+)/v1", "".join(said))[1])
            yield Process(process.pid, port, workspace, said)
        finally:
            process.terminate()
            process.wait(30)
            thread.join()


class Neighbour:
    """A caller of good faith: what its requests take, alone and beside an attack."""

    def __init__(self, port, body):
        self.port = port
        self.sent = json.dumps(body).encode()
        self.stop = threading.Event()
        self.seconds, self.statuses = [], set()
        self.thread = threading.Thread(target=self.call)

    def call(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.stop.is_set():
            began = time.monotonic()
            connection.request("POST", "/v1/route", self.sent)
            reply = connection.getresponse()
            reply.read()
            self.seconds.append(time.monotonic() - began)
            self.statuses.add(reply.status)
            time.sleep(0.002)
        connection.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *raised):
        self.stop.set()
        self.thread.join()

    def alone(self, seconds=1.0):
        """Note what it takes with nobody else there."""
        time.sleep(seconds)
        found, self.seconds = self.seconds, []
        return found

    def told(self, before):
        """Return the ratio of the medians, and a sentence with the tails.

        The attacker, the caller and the gateway share two cores, perhaps with others: the tail may
        be twice what it was, as the plan has it, and a turn or two of the scheduler's more.
        """
        ratio = statistics.median(self.seconds) / statistics.median(before)
        tails = [sorted(x)[int(len(x) * 0.99)] * 1000 for x in (before, self.seconds)]
        words = f"p99 of others {tails[0]:.1f} ms before, {tails[1]:.1f} ms during"
        assert tails[1] <= 2 * tails[0] + 50, words
        return ratio, f"{words}, medians x{ratio:.2f}"
