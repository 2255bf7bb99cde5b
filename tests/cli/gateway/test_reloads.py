"""A changed `stepdown.toml` is taken up by SIGHUP, without a restart."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing

import pytest
from tests.cli.story import call
from tests.serve.conftest import FakeUpstream


class Running:
    """A gateway of its own process, whose configuration can be written anew."""

    def __init__(self, folder, process):
        self.folder, self.process = folder, process
        line = process.stderr.readline()
        self.address = re.search(r"Ready on (\S+)/v1;", line).group(1)
        self.said = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        self.said += self.process.stderr

    def write(self, text):
        """Put a configuration in place, or take it away (None), and wait until that was seen."""
        before = self.ready()["config"]
        path = self.folder / "stepdown.toml"
        path.unlink(missing_ok=True) if text is None else path.write_text(text)
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while self.ready()["config"] == before:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def ready(self):
        with urllib.request.urlopen(f"{self.address}/readyz", timeout=20) as reply:
            return json.loads(reply.read())

    def ask(self, text="hello", **headers):
        turns = [{"role": "user", "content": text}]
        body = json.dumps({"model": "gpt-4o", "messages": turns}).encode()
        request = urllib.request.Request(f"{self.address}/v1/chat/completions", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read()


@pytest.fixture
def upstreams():
    with closing(FakeUpstream()) as one, closing(FakeUpstream()) as two:
        one.words, two.words = ["the", "first"], ["the", "second"]
        yield one, two
        one.release.set()
        two.release.set()


def frontier(upstream, more=""):
    return f'[tiers.frontier]\nbase_url = "{upstream.url}"\n{more}\n'


@pytest.fixture
def running(tmp_path, upstreams):
    (tmp_path / "stepdown.toml").write_text(frontier(upstreams[0]))
    command = [sys.executable, "-m", "stepdown", "serve", "--port", "0", "--workspace", "w"]
    keys = {"ONE": "client-one", "OURS": "sk-ours", "OTHER": "sk-other"}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=os.environ | keys
    ) as process:
        made = Running(tmp_path, process)
        yield made
        for upstream in upstreams:
            upstream.release.set()
        process.terminate()
        process.wait(20)
        made.reader.join()
        assert process.returncode == 0


def test_another_upstream_answers_the_next_request_and_the_old_one_what_it_has(running, upstreams):
    one, two = upstreams
    one.fault = "blackhole"
    begun = []
    asking = threading.Thread(target=lambda: begun.append(running.ask()))
    asking.start()
    while not one.seen:
        time.sleep(0.01)
    running.write(frontier(two, 'api_key_env = "OURS"'))
    assert b"the second" in running.ask()[1]
    assert two.seen[-1][2]["Authorization"] == "Bearer sk-ours"
    one.release.set()
    asking.join()
    assert b"the first" in begun[0][1]
    running.write(frontier(two, 'api_key_env = "OTHER"'))
    running.ask()
    assert two.seen[-1][2]["Authorization"] == "Bearer sk-other"
    assert running.ready()["upstreams"]["frontier"]["address"] == f"{two.url}/v1"
    assert running.ready()["config"]["reloads"] == 2


def test_limits_retries_and_client_keys_change(running, upstreams):
    one, _ = upstreams
    assert running.ask("x" * 5000)[0] == 200
    running.write(frontier(one) + "[serve]\nmax_body_bytes = 2000\nretries = 0")
    assert running.ask("x" * 5000)[0] == 413
    one.fault, asked = "busy", len(one.seen)
    assert running.ask()[0] == 503
    assert len(one.seen) - asked == 1
    one.fault = ""
    running.write(frontier(one) + '[serve]\nclient_keys_env = "ONE"')
    assert running.ask()[0] == 401
    assert running.ask(authorization="Bearer client-one")[0] == 200
    running.write(frontier(one))
    assert running.ask()[0] == 200


INVALID = {
    "[serve": "is not TOML",
    "[serve]\nretires = 1": "retires",
    '[tiers.frontier]\nbase_url = "ftp://x"': "not an API address",
    '[tiers.frontier]\nbase_url = "http://h"\napi_key_env = "NOT_THERE"': "NOT_THERE",
    '[serve]\naccess_log = "/nowhere/at/all"': "access log",
    '[serve]\notlp_endpoint = "collector:4318"': "no HTTP address",
}


def test_an_invalid_file_leaves_the_old_one_standing(running, upstreams, capsys):
    for text, why in INVALID.items():
        running.write(text)
        told = running.ready()["config"]
        assert why in told["problem"]
        assert told["reloads"] == 0
        assert b"the first" in running.ask()[1]
    assert call("status", "--workspace", running.folder / "w") == 0
    assert "not taken up" in capsys.readouterr().err.replace("\n", " ")
    running.write(frontier(upstreams[1]))
    assert running.ready()["config"]["problem"] == ""
    assert b"the second" in running.ask()[1]
    assert any("not taken up" in line for line in running.said)


def test_a_file_that_is_gone_leaves_the_old_one_standing(running, upstreams):
    running.write(frontier(upstreams[0]) + '[serve]\nclient_keys_env = "ONE"')
    running.write(None)
    told = running.ready()["config"]
    assert "no configuration at stepdown.toml" in told["problem"]
    assert told["reloads"] == 1
    assert running.ask()[0] == 401
    assert b"the first" in running.ask(authorization="Bearer client-one")[1]
    running.write(frontier(upstreams[1]))
    assert running.ready()["config"]["problem"] == ""
    assert b"the second" in running.ask()[1]


def test_what_takes_a_restart_is_said(running, upstreams):
    text = '[serve]\nport = 9\nhost = "127.0.0.2"\n[store]\ndurability = "sync"\n'
    running.write(frontier(upstreams[1]) + text)
    notes = running.ready()["config"]["notes"]
    assert len(notes) == 2
    assert "host, port" in notes[0]
    assert "durability" in notes[1]
    assert b"the second" in running.ask()[1]


def test_the_access_log_is_switched_on_and_opened_anew(running, upstreams):
    path = running.folder / "access.jsonl"
    text = frontier(upstreams[0]) + f'[serve]\naccess_log = "{path}"\n'
    running.write(text)
    running.ask()
    deadline = time.monotonic() + 20
    while not path.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    path.rename(path.with_suffix(".1"))
    running.write(text)
    running.ask()
    while not (path.exists() and b"chat/completions" in path.read_bytes()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_closed_terminal_ends_it_as_it_always_did(tmp_path):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "stepdown", "serve", "--port", "0", "--workspace", "w"]
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        preexec_fn=lambda: os.login_tty(0),
    )
    os.close(theirs)
    try:
        assert "Ready" in os.read(ours, 4096).decode()
        os.close(ours)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def test_many_reloads_under_load_fail_no_request(running, upstreams):
    one, two = upstreams
    stop, statuses = threading.Event(), []

    def load():
        while not stop.is_set():
            statuses.append(running.ask()[0])

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(6):
        running.write(frontier((one, two)[number % 2]))
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}
    assert len(statuses) > 10
