"""Gateways in processes of their own, for signals; and requests that are under way at them."""

import subprocess
import sys
import threading

import pytest

CHILD = """
import gc
import sys
from pathlib import Path
from stepdown.core.tasks import TaskIndex
from stepdown.serve.live import Loaded
from stepdown.serve.server import serve
from stepdown.serve.settings import Settings, Timeouts
from stepdown.store.sqlite import SqliteOutbox
outbox = SqliteOutbox(Path(sys.argv[1]))
settings = Settings(port=0, base_url=sys.argv[2], timeouts=Timeouts(drain=float(sys.argv[3])))
load = lambda generation: Loaded(TaskIndex([]), {}) if generation is None else None
serve(settings, load, outbox, on_ready=lambda url: print(url, flush=True))
outbox.close()
"""


class Child:
    """A gateway in a process of its own."""

    def __init__(self, path, upstream, drain=10.0):
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path), upstream, str(drain)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def end(self):
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.fixture
def child(world):
    made = []

    def go(**more):
        made.append(Child(world.path, world.upstream.url, **more))
        world.url = made[-1].url
        return made[-1]

    yield go
    for item in made:
        if item.process.poll() is None:
            item.process.kill()
            item.process.communicate()


def in_flight(complete, sent, count):
    """Begin requests in threads; returns the threads and what will come of them."""
    replies = []
    threads = [
        threading.Thread(target=lambda: replies.append(complete(sent))) for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    return threads, replies
