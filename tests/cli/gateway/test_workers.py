"""`stepdown serve --workers N`: several processes on a port, one database, nothing lost."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing, contextmanager, suppress

import click
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.cli.story import easy
from tests.serve.conftest import FakeUpstream

from stepdown.cli.gateway.workers import this_worker
from stepdown.serve.look import look
from stepdown.serve.settings import Worker
from stepdown.workspace.presence import present


@pytest.fixture
def upstream():
    with closing(FakeUpstream()) as made:
        yield made
        made.release.set()


def command(*more):
    return [sys.executable, "-m", "stepdown", "serve", "--port", "0", *more]


@contextmanager
def gateway(tmp_path, url, upstream, workers=2, name="w", more=""):
    """A gateway with workers: its API's address and its parent."""
    (tmp_path / "stepdown.toml").write_text(
        f'[store]\nurl_env = "STORE_URL"\n[serve]\nworkers = {workers}\n{more}', "utf-8"
    )
    environment = os.environ | {"STEPDOWN_WORKSPACE": str(tmp_path / name), "STORE_URL": url}
    with subprocess.Popen(
        command("--upstream", upstream.url),
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment,
    ) as parent:
        try:
            lines = []
            while not re.search(r"workers answer on (\S+)/v1", lines[-1] if lines else ""):
                lines.append(parent.stderr.readline())
                assert lines[-1], lines
            yield lines[-1].split()[4].removesuffix("."), parent
        finally:
            for pid in children(parent.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            parent.kill()
            parent.stderr.close()


def children(pid):
    with suppress(OSError), open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        return [int(child) for child in file.read().split()]
    return []


def ask(address, number=0):
    """Return the id of a whole answer; None where there was none."""
    body = json.dumps(next(easy(1, seed=number))["request"]).encode()
    headers = {"content-type": "application/json", "connection": "close"}
    request = urllib.request.Request(f"{address}/chat/completions", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            reply.read()
            return reply.headers["x-stepdown-request-id"]
    except (OSError, ValueError):
        return None


def stored(server, url):
    return [row[0] for row in server.ask(url, "SELECT id FROM stepdown_calls ORDER BY id")]


def wait(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def metrics(address, name):
    with urllib.request.urlopen(f"{address.removesuffix('/v1')}/metrics", timeout=20) as reply:
        families = text_string_to_metric_families(reply.read().decode())
        return {
            sample.labels["worker"]: sample.value
            for family in families
            for sample in family.samples
            if sample.name == name
        }


def test_workers_share_the_port_the_metrics_and_the_database(tmp_path, server, url, upstream):
    with gateway(tmp_path, url, upstream) as (address, parent):
        ids = [ask(address, n) for n in range(40)]
        assert set(metrics(address, "stepdown_requests_total")) == {"1", "2"}
        assert sum(metrics(address, "stepdown_requests_total").values()) == 40
        (note,) = present(tmp_path / "w")
        assert look(note.address).capture["committed"] == 40
        assert (note.pid, f"{note.address}/v1") == (parent.pid, address)
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(30) == 0
    assert stored(server, url) == sorted(ids)
    assert present(tmp_path / "w") == []


@pytest.mark.reliability
def test_what_an_operator_tells_one_worker_all_do(ran, tmp_path, url, upstream, monkeypatch):
    shutil.copytree(ran.workspace, tmp_path / "w")
    (student,) = (folder.name for folder in (tmp_path / "w").glob("tasks/*/students/[!.]*"))
    monkeypatch.setenv("ADMIN", "s" * 40)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    more = f'[admin]\nsecret_env = "ADMIN"\nport = {port}\n'

    def tell(path, method="POST"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}", headers={"authorization": f"Bearer {'s' * 40}"}
        )
        request.method = method
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.read()

    with gateway(tmp_path, url, upstream, more=more) as (address, _):
        assert set(metrics(address, "stepdown_students_off").values()) == {0}
        tell(f"/admin/students/{student}/off")
        assert metrics(address, "stepdown_students_off") == {"1": 1, "2": 1}
        assert b'worker="2"' in tell("/metrics", "GET")
        tell(f"/admin/students/{student}/on")
        assert metrics(address, "stepdown_students_off") == {"1": 0, "2": 0}
        tell("/admin/reload")


@pytest.mark.reliability
def test_d10_a_signal_to_all_of_them_lets_what_is_under_way_finish(tmp_path, server, url, upstream):
    """A service manager signals the parent and the workers; each drains once."""
    upstream.fault = "blackhole"
    with gateway(tmp_path, url, upstream) as (address, parent):
        ids = []
        asked = [threading.Thread(target=lambda n=n: ids.append(ask(address, n))) for n in range(8)]
        for thread in asked:
            thread.start()
        wait(lambda: len(upstream.seen) == 8)
        for pid in [*children(parent.pid), parent.pid]:
            os.kill(pid, signal.SIGTERM)
        time.sleep(0.5)
        upstream.release.set()
        for thread in asked:
            thread.join()
        assert parent.wait(30) == 0
    assert None not in ids
    assert stored(server, url) == sorted(ids)


@pytest.mark.reliability
def test_d1_a_killed_worker_is_replaced_and_nothing_it_answered_is_lost(
    tmp_path, server, url, upstream
):
    with gateway(tmp_path, url, upstream) as (address, parent):
        stop = threading.Event()
        ids = []

        def go():
            while not stop.is_set():
                ids.append(ask(address, len(ids)))

        threads = [threading.Thread(target=go) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(4):
            time.sleep(0.7)
            wait(lambda: len(children(parent.pid)) == 2)
            os.kill(children(parent.pid)[-1], signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join()
        wait(lambda: set(metrics(address, "stepdown_generation")) == {"1", "2"})
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(30) == 0
    answered = {call for call in ids if call}
    assert len(answered) > 10
    found = stored(server, url)
    assert len(found) == len(set(found))
    assert answered <= set(found)


@pytest.mark.reliability
def test_fewer_workers_than_before_leave_nothing_behind(tmp_path, server, url, upstream):
    with gateway(tmp_path, url, upstream, workers=3) as (address, parent):
        server.stop()
        ids = [ask(address, n) for n in range(30)]
        for pid in [parent.pid, *children(parent.pid)]:
            os.kill(pid, signal.SIGKILL)
    server.start()
    assert len(list((tmp_path / "w").glob("calls*.db"))) == 3
    with gateway(tmp_path, url, upstream, workers=2) as (address, parent):
        wait(lambda: len(stored(server, url)) == 30)
    assert stored(server, url) == sorted(ids)


@pytest.mark.reliability
def test_d1_two_replicas_share_a_database(tmp_path, server, url, upstream, figure):
    """Each has a workspace of its own, as on another machine; one of them dies and comes back."""
    ids = []
    with gateway(tmp_path, url, upstream, name="a") as (first, _):
        for _ in range(2):
            with gateway(tmp_path, url, upstream, name="b") as (second, parent):
                ids += [ask(address, n) for n in range(20) for address in (first, second)]
                for pid in [parent.pid, *children(parent.pid)]:
                    os.kill(pid, signal.SIGKILL)
        with gateway(tmp_path, url, upstream, name="b"):
            wait(lambda: len(stored(server, url)) == 80)
    assert stored(server, url) == sorted(ids)
    figure("2 replicas with 2 workers each on one database, one killed twice: 0 of 80 lost")


def test_d11_workers_on_sqlite_are_refused_with_the_fix(tmp_path):
    done = subprocess.run(
        command("--workers", "2"),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert "[store] url" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / ".stepdown").exists()


@pytest.mark.reliability
def test_o2_what_keeps_workers_from_starting_is_told_once(tmp_path, url, upstream):
    with gateway(tmp_path, url, upstream) as (address, _):
        port = address.rpartition(":")[2].removesuffix("/v1")
        for more in (("--port", port, "--workspace", "other"), ()):
            done = subprocess.run(
                [*command(), *more],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
                cwd=tmp_path,
                env=os.environ | {"STEPDOWN_WORKSPACE": str(tmp_path / "w"), "STORE_URL": url},
            )
            assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "Another gateway writes" in done.stderr


def test_which_worker_this_is_comes_from_its_parent(monkeypatch):
    assert this_worker() is None
    monkeypatch.setenv("STEPDOWN_WORKER", "3:7:/tmp/x:y")
    assert this_worker() == Worker(3, 7, "/tmp/x:y")
    # Its own children are no workers.
    assert "STEPDOWN_WORKER" not in os.environ
    assert click.get_current_context(silent=True) is None
