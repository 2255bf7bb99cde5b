"""L-7: a cluster's workers, or its command, are killed: the same result, and nothing left."""

import os
import random
import signal
import time
from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest
from tests.cli.labelling.test_asking import audited, desk, teacher
from tests.cli.story import easy, write
from tests.cli.teaching import command
from tests.cli.test_engine_jobs import made, ran, two_tasks
from tests.reliability.test_listeners import family

from stepdown.audit import Counting, report_on
from stepdown.cli import options
from stepdown.cli.options import Session
from stepdown.cli.sources import count_calls
from stepdown.config import Config
from stepdown.engines.ray import Ray
from stepdown.logs import shards
from stepdown.workspace import Workspace

__all__ = ["audited", "desk", "teacher"]

# The extra is looked for and not imported: Ray reads its settings then.
pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="the extra `ray` is not installed"),
    pytest.mark.timeout(900),
]
KILLS = [
    pytest.param(2, marks=pytest.mark.reliability),
    pytest.param(10, marks=pytest.mark.nightly),
]


def workers(pid):
    """Return the processes of a cluster below this one that do work."""
    found = []
    for one in family(pid):
        try:
            name = Path(f"/proc/{one}/cmdline").read_bytes()
        except OSError:
            continue
        if name.startswith(b"ray::") and b"Agent" not in name:
            found.append(one)
    return found


def kill_one():
    """Kill one worker of this process's cluster; say whether there was one."""
    found = workers(os.getpid())
    if found:
        os.kill(random.choice(found), signal.SIGKILL)
    return bool(found)


def alive(pid):
    """Say whether a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_gone(pids, seconds=30):
    """Say whether processes end within so many seconds."""
    limit = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        if time.monotonic() > limit:
            return False
        time.sleep(0.2)
    return True


class Lent:
    """The module's cluster, which a command does not end."""

    def __init__(self, engine):
        self.asking, self.map, self.workers = engine.asking, engine.map, engine.workers

    def close(self):
        pass


@pytest.fixture(scope="module")
def cluster():
    engine = Ray(2)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return str(write(tmp_path_factory.mktemp("log") / "log.jsonl", easy(12_000)))


def audited_by(session, log, progress):
    coverage, counting = [], Counting(progress)
    count_calls(session, [log], coverage, counting, progress)
    return msgspec.json.encode(report_on(counting, coverage)), counting


@pytest.mark.parametrize("kills", KILLS)
def test_l7_killed_workers_change_nothing_in_an_audit(
    cluster, log, tmp_path, monkeypatch, figure, kills
):
    monkeypatch.setattr(shards, "_LINES", 256)
    at = set(random.Random(kills).sample(range(5_000, 11_000, 500), kills))
    killed = []

    def progress(stage, done, total):
        if stage == "calls" and at and done >= min(at):
            at.discard(min(at))
            killed.append(kill_one())

    alone = Session(Workspace(tmp_path / "w"), Config())
    several = msgspec.structs.replace(alone, engine=cluster)
    found, counting = audited_by(several, log, progress)
    assert sum(killed) >= min(kills, 3)
    assert counting.taken > 5
    assert found == audited_by(alone, log, lambda *told: None)[0]
    figure(f"audit, {sum(killed)} workers killed: the same report")


@pytest.mark.parametrize("kills", KILLS)
def test_l7_killed_workers_cost_no_label(cluster, desk, teacher, monkeypatch, figure, kills):
    monkeypatch.setattr(options, "_engine", lambda name, workers: Lent(cluster))
    count = 40 * kills
    items = min(count, 400)
    at = set(range(20, items, items // kills))
    teacher.latency = 0.05
    killed = []

    def after(billed):
        if billed in at:
            killed.append(kill_one())

    teacher.after = after
    told = desk("--max-usd", "50", "-n", str(items), "--concurrency", "4")
    left = told.get("failures", {})
    if told["labels"] < items:
        teacher.after = None
        told = desk("--max-usd", "50", "-n", str(items), "--concurrency", "4")
    assert sum(killed) >= 2
    assert len({label.item for label in desk.labels()}) == told["labels"] == items
    assert len(teacher.bill) <= items + 4 * sum(killed)
    assert told["spend"]["attodollars"] <= teacher.billed
    figure(
        f"label, {sum(killed)} workers killed: {items} labels, {len(teacher.bill)} calls, {left}"
    )


@pytest.mark.parametrize("kills", KILLS)
def test_l7_a_killed_command_leaves_nothing_running(log, tmp_path, figure, kills):
    pick = random.Random(kills)
    local = command("audit", log, "--json", "--workspace", tmp_path / "local").communicate()[0]
    for number in range(kills // 2 if kills == 2 else kills):
        with command(
            "audit", log, "--json", "--workspace", tmp_path / "w", "--engine", "ray"
        ) as process:
            limit = time.monotonic() + 120
            while not workers(process.pid) and process.poll() is None:
                assert time.monotonic() < limit
                time.sleep(0.1)
            time.sleep(pick.random())
            children = family(process.pid) - {process.pid}
            process.kill()
        assert children, number
        assert all_gone(children)
    again = command("audit", log, "--json", "--workspace", tmp_path / "w", "--engine", "ray")
    assert again.communicate()[0] == local
    figure("a killed command's cluster: gone in 30 s; run again: the same report")


@pytest.mark.reliability
def test_l7_a_cluster_ends_as_one_process_does(cluster, tmp_path, figure):
    path = two_tasks(tmp_path / "log.jsonl")
    session, outcomes = ran(tmp_path / "alone", path)
    several, found = ran(tmp_path / "several", path, cluster)
    assert [(o.task, o.result, o.why) for o in found] == [
        (o.task, o.result, o.why) for o in outcomes
    ]
    assert made(several.workspace) == made(session.workspace)
    figure("`run` on a cluster of 2: the datasets, students, thresholds and proofs of one process")


@pytest.mark.reliability
def test_l7_a_cluster_that_is_joined_is_left_as_it_was(cluster, log, tmp_path, monkeypatch):
    assert cluster.workers == 2
    there = cluster._ray.get_runtime_context().gcs_address
    monkeypatch.setenv("RAY_ADDRESS", there)
    joined = command("audit", log, "--json", "--workspace", tmp_path / "w", "--engine", "ray")
    report = joined.communicate()[0]
    assert joined.returncode == 0
    assert list(cluster.map(len, [log])) == [len(log)]
    alone = command("audit", log, "--json", "--workspace", tmp_path / "w")
    assert report == alone.communicate()[0]
