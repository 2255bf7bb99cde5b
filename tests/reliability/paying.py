"""Labelling runs that are killed: a server that forks them, loaded once."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from contextlib import closing, contextmanager

from tests.cli.story import call, easy, write
from tests.cli.teaching import FakeTeacher, write_config

from stepdown.store.ledger import read_labels, read_spend
from stepdown.store.reading import open_reader

# It has no thread when it forks. A child is killed by itself after so many commits, or from here.
SERVER = """
import importlib, json, os, signal, sys
from stepdown.cli import main
from stepdown.store.ledger import Ledger
from stepdown.label import pacing
# These teachers are away for no time at all, but very often.
pacing._FIRST_PAUSE_S, pacing._LONGEST_PAUSE_S = 0.01, 0.05
importlib.import_module("stepdown.cli.label")
importlib.import_module("stepdown.providers.openai_compatible")
def dying(after):
    commit, done = Ledger.commit, []
    def counted(self, run, steps):
        commit(self, run, steps)
        done.extend(step for step in steps if type(step).__name__ == "Stored")
        if len(done) >= after:
            os.kill(os.getpid(), signal.SIGKILL)
    Ledger.commit = counted
for line in sys.stdin:
    asked = json.loads(line)
    pid = os.fork()
    if not pid:
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(os.open(asked["out"], os.O_CREAT | os.O_TRUNC | os.O_WRONLY), 1)
        os.dup2(os.open(asked["out"] + ".err", os.O_CREAT | os.O_TRUNC | os.O_WRONLY), 2)
        if asked["dies_after"]:
            dying(asked["dies_after"])
        main(asked["arguments"])
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Payer:
    """A task of `count` calls, its teacher, and runs of `stepdown label` on it."""

    def __init__(self, folder, count, latency=0.0):
        self.folder = folder
        self.count = count
        self.teacher = FakeTeacher(latency)
        log = write(folder / "log.jsonl", easy(count))
        assert call("audit", log, "--workspace", folder / "ws") == 0
        self.task = json.loads(next(folder.glob("ws/tasks/*/task.json")).read_text())
        self.config = write_config(folder, self.teacher, second='"suspicious"')
        self.server = subprocess.Popen(
            [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.kills = 0

    def close(self):
        self.teacher.close()
        self.server.stdin.close()
        self.server.wait()
        self.server.stdout.close()

    @property
    def ledger(self):
        return self.folder / "ws" / "labels.db"

    def arguments(self, *options):
        # With so few calls only a wide budget makes a dataset, and without one it ends with 1.
        at = ("--workspace", self.folder / "ws", "--config", self.config, "--budget", 0.5)
        given = ("label", self.task["name"], "--teacher", "big", "-n", self.count, *at, *options)
        return [str(one) for one in given]

    def run(self, *options, dies_after=0, kill_at=None, ends=(0,)):
        """Run the command; killed when the teacher has had so many calls, where that is said."""
        asked = {
            "arguments": self.arguments("--json", "--max-usd", "1000", *options),
            "out": str(self.folder / "out.json"),
            "dies_after": dies_after,
        }
        self.server.stdin.write(json.dumps(asked) + "\n")
        self.server.stdin.flush()
        pid = int(self.server.stdout.readline())
        if kill_at is not None:
            began, pick = len(self.teacher.bill), random.random()

            def after(calls):
                if calls == began + kill_at:
                    # Some time later: a question is on its way, an answer, or a commit.
                    threading.Timer(0.03 * pick, _kill, (pid,)).start()

            self.teacher.after = after
        status = int(self.server.stdout.readline())
        self.teacher.after = None
        self.kills += status == -signal.SIGKILL
        assert status in (*ends, -signal.SIGKILL), (self.folder / "out.json.err").read_text()
        return status

    def stored(self):
        """Return the messages that have a stored answer, by the calls' numbers."""
        if not self.ledger.exists():
            return set()
        with closing(open_reader(self.ledger)) as connection:
            rows = connection.execute("SELECT item FROM items WHERE raw IS NOT NULL").fetchall()
        return {message_of(item, self.count) for (item,) in rows}

    def labels(self):
        return list(read_labels(self.ledger, self.task["id"]))

    def spend(self):
        return read_spend(self.ledger, self.task["id"])


def _kill(pid):
    os.kill(pid, signal.SIGKILL)


def message_of(item, count, known={}):  # noqa: B006 - a table that is made once
    """Return the message of a logged call."""
    if count not in known:
        known[count] = [line["request"]["messages"][-1]["content"] for line in easy(count)]
    return known[count][int(item.removeprefix("call-"))]


@contextmanager
def payer(folder, count, latency=0.0):
    """Give a payer, and end it."""
    with closing(Payer(folder, count, latency)) as made:
        yield made
