"""A parent and its workers: started in turn, restarted when they die, drained, never orphaned."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from stepdown.serve import workers as module
from stepdown.serve.workers import Supervisor

WORKER = """
import os, signal, socket, sys, time
number, lifeline, folder, behave = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
open(f"{folder}/{number}-{os.getpid()}", "w").close()
if behave == "refuses" and number == "2":
    sys.exit(2)
def note(sig, frame):
    open(f"{folder}/signal-{sig}-{number}", "w").close()
    if sig == signal.SIGTERM:
        sys.exit(0)
for sig in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(sig, note)
line = socket.socket(fileno=lifeline)
line.send(b"r")
while behave == "dies":
    if os.path.exists(f"{folder}/die"):
        sys.exit(1)
    time.sleep(0.01)
line.recv(1)
if behave == "hangs":
    time.sleep(60)
"""

PARENT = """
import subprocess, sys
from stepdown.serve import workers
from stepdown.serve.workers import Supervisor
folder, behave, script = sys.argv[1:]
def begin(number, lifeline):
    return subprocess.Popen(
        [sys.executable, "-c", script, str(number), str(lifeline.fileno()), folder, behave],
        pass_fds=[lifeline.fileno()], start_new_session=True)
workers._PAUSE_S = (0.02, 0.2)
sys.exit(Supervisor(3, begin, lambda: print("ready", flush=True)).run())
"""


class Family:
    """A parent in a process of its own."""

    def __init__(self, folder, behave=""):
        self.folder = folder
        self.parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(folder), behave, WORKER],
            stdout=subprocess.PIPE,
            text=True,
        )

    def ready(self):
        assert self.parent.stdout.readline() == "ready\n"

    def pids(self, number):
        return [int(path.name.split("-")[1]) for path in self.folder.glob(f"{number}-*")]

    def living(self):
        return [pid for n in (1, 2, 3) for pid in self.pids(n) if lives(pid)]


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        return stat.read().split()[2] != "Z"


@pytest.fixture
def family(tmp_path):
    made = []

    def begin(behave=""):
        made.append(Family(tmp_path, behave))
        return made[-1]

    yield begin
    for one in made:
        one.parent.kill()
        one.parent.communicate()
        for pid in one.living():
            os.kill(pid, signal.SIGKILL)


def test_a_signal_drains_them_all(family, wait):
    one = family()
    one.ready()
    assert len(one.living()) == 3
    one.parent.send_signal(signal.SIGTERM)
    assert one.parent.wait(20) == 0
    assert one.living() == []
    # Their lifelines ended; no signal was sent that a service manager may have sent as well.
    assert list(one.folder.glob("signal-*")) == []


def test_a_second_signal_is_passed_on(family, wait):
    one = family("hangs")
    one.ready()
    one.parent.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    one.parent.send_signal(signal.SIGTERM)
    assert one.parent.wait(20) == 0
    assert len(list(one.folder.glob(f"signal-{int(signal.SIGTERM)}-*"))) == 3


def test_a_hang_up_is_passed_on(family, wait):
    one = family()
    one.ready()
    one.parent.send_signal(signal.SIGHUP)
    wait(lambda: len(list(one.folder.glob(f"signal-{int(signal.SIGHUP)}-*"))) == 3)
    assert len(one.living()) == 3


def test_one_that_is_killed_is_started_again(family, wait):
    one = family()
    one.ready()
    (first,) = one.pids(2)
    os.kill(first, signal.SIGKILL)
    wait(lambda: len(one.pids(2)) == 2)
    wait(lambda: len(one.living()) == 3)
    assert len(one.pids(1)) == len(one.pids(3)) == 1


def test_those_that_keep_dying_are_started_at_a_bounded_rate(family, wait):
    one = family("dies")
    one.ready()
    (one.folder / "die").touch()
    time.sleep(2)
    # Three workers, at most one start each in 0.2 s once they have failed a few times.
    assert 4 < sum(len(one.pids(n)) for n in (1, 2, 3)) < 60
    assert one.parent.poll() is None


def test_what_keeps_one_from_starting_ends_the_start(family):
    one = family("refuses")
    assert one.parent.wait(20) == 2
    assert one.living() == []


def test_workers_whose_parent_is_killed_drain(family, wait):
    one = family()
    one.ready()
    one.parent.kill()
    wait(lambda: one.living() == [])


def test_the_first_starts_alone(monkeypatch):
    begun = []

    def begin(number, lifeline):
        begun.append(number)
        return subprocess.Popen([sys.executable, "-c", "import sys; sys.exit(2)"])

    assert threading.current_thread() is threading.main_thread()
    assert Supervisor(4, begin, lambda: None).run() == 2
    assert begun == [1]
    assert module.READY == b"r"
