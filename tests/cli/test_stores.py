"""A store in Postgres, from a configuration file: the gateway writes it, commands read it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, contextmanager

import pytest
from tests.cli.story import call, easy
from tests.serve.conftest import FakeUpstream
from tests.store.database import PASSWORD

from stepdown.cli.options import Session
from stepdown.cli.savings import savings_of
from stepdown.cli.stores import captured_calls, database_url, drain_left, following, open_outbox
from stepdown.config import Config, StoreConfig
from stepdown.core.ports import Exchange
from stepdown.errors import ConfigError, InputError
from stepdown.store.drain import DrainedOutbox
from stepdown.store.sqlite import SqliteOutbox
from stepdown.workspace import Workspace


def session(tmp_path, **store):
    return Session(Workspace(tmp_path / "w"), Config(store=StoreConfig(**store)))


def drained(here):
    outbox = open_outbox(here)
    assert isinstance(outbox, DrainedOutbox)
    return outbox


def put(outbox, *ids):
    for call_id in ids:
        outbox.submit(Exchange(call_id, 1.0, b"{}"), lambda durable: None)


def wait(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_url_comes_from_the_file_or_from_a_variable(tmp_path, monkeypatch):
    assert database_url(session(tmp_path)) is None
    assert database_url(session(tmp_path, url="postgresql://h/d")) == "postgresql://h/d"
    named = session(tmp_path, url_env="STORE_URL")
    for value in ("", "p4ssw0rd"):
        monkeypatch.setenv("STORE_URL", value)
        with pytest.raises(ConfigError, match="STORE_URL") as told:
            database_url(named)
        assert "p4ssw0rd" not in str(told.value)
    monkeypatch.setenv("STORE_URL", "postgres://h/d")
    assert database_url(named) == "postgres://h/d"


def test_calls_go_to_the_database_and_are_read_there(tmp_path, url, server):
    here = session(tmp_path, url=url)
    with closing(drained(here)) as outbox:
        put(outbox, "a", "b")
        wait(lambda: outbox.health().moved == 2)
    assert server.ask(url, "SELECT count(*) FROM stepdown_calls") == [(2,)]
    assert list(captured_calls(here).lines()) == [b"{}", b"{}"]
    # Another machine's workspace reads the same.
    assert captured_calls(session(tmp_path / "other", url=url)).tallies()[0].count == 2


def test_the_ledger_reads_on_in_the_database(tmp_path, url, server):
    here = session(tmp_path, url=url)
    with following(session(tmp_path)) as store:
        assert store is None
    with closing(drained(here)) as outbox:
        put(outbox, "a", "b")
        wait(lambda: outbox.health().moved == 2)
    assert savings_of(here, []).unreadable == 2
    with following(here) as store:
        assert [row.id for row in store.after(0)] == ["a", "b"]


def test_o2_a_database_that_is_down_holds_no_start_up(tmp_path, capsys):
    here = session(tmp_path, url="postgresql://u:s3cret@127.0.0.1:1/d")
    with closing(drained(here)) as outbox:
        put(outbox, "a")
        wait(lambda: outbox.health().store_error)
        assert outbox.health().error == ""
        assert "refused" in outbox.health().store_error
    said = capsys.readouterr().err
    assert "calls wait in calls.db" in said
    assert "s3cret" not in said
    with pytest.raises(InputError, match="can't be read"):
        captured_calls(here).tallies()


def test_d12_a_newer_database_is_refused_and_the_outbox_let_go(tmp_path, url, server):
    here = session(tmp_path, url=url)
    open_outbox(here).close()
    server.ask(url, "UPDATE stepdown_schema SET version = 99")
    for _ in range(2):
        with pytest.raises(InputError, match="newer"):
            open_outbox(here)


def test_what_former_workers_left_is_moved_at_the_next_start(tmp_path, url, server, capsys):
    here = session(tmp_path, url=url)
    for worker in (1, 2, 3):
        with closing(SqliteOutbox(here.workspace.outbox(worker))) as outbox:
            put(outbox, f"w{worker}")
    assert drain_left(here, 1)
    assert server.ask(url, "SELECT id FROM stepdown_calls ORDER BY id") == [("w2",), ("w3",)]
    assert "1 calls of a former worker" in capsys.readouterr().err
    assert drain_left(here, 1)
    assert drain_left(session(tmp_path), 1)


@contextmanager
def gateway(tmp_path, url):
    """A gateway on a configuration file, its URL taken from a variable."""
    (tmp_path / "stepdown.toml").write_text('[store]\nurl_env = "STORE_URL"\n', "utf-8")
    with (
        closing(FakeUpstream()) as upstream,
        subprocess.Popen(
            [sys.executable, "-m", "stepdown", "serve", "--port", "0", "--upstream", upstream.url],
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"STEPDOWN_WORKSPACE": str(tmp_path / "w"), "STORE_URL": url},
        ) as process,
    ):
        try:
            yield re.search(r"Ready on (\S+);", process.stderr.readline()).group(1), process
        finally:
            process.kill()


def ask(address, number):
    body = json.dumps(next(easy(1, seed=number))["request"]).encode()
    request = urllib.request.Request(
        f"{address}/chat/completions", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        return reply.headers["x-stepdown-request-id"]


def test_d6_with_the_database_stopped_for_a_while_nothing_is_lost(
    tmp_path, server, url, monkeypatch, capsys
):
    with gateway(tmp_path, url) as (address, process):
        ids = [ask(address, n) for n in range(5)]
        server.stop()
        ids += [ask(address, n) for n in range(5)]
        ready = json.load(urllib.request.urlopen(f"{address.removesuffix('/v1')}/readyz"))
        assert (ready["status"], ready["capture"]["error"]) == ("ready", "")
        page = urllib.request.urlopen(f"{address.removesuffix('/v1')}/metrics").read()
        assert b"stepdown_capture_behind" in page
        server.start()
        ids += [ask(address, n) for n in range(5)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        said = process.stderr.read()
    with closing(drained(session(tmp_path, url=url))) as outbox:
        wait(lambda: outbox.health().behind == 0)
    found = server.ask(url, "SELECT id FROM stepdown_calls ORDER BY id")
    assert [row[0] for row in found] == sorted(ids)
    assert PASSWORD not in said


def test_status_counts_what_the_database_has(ran, tmp_path, url, server, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORE_URL", url)
    (tmp_path / "stepdown.toml").write_text('[store]\nurl_env = "STORE_URL"\n', "utf-8")
    with closing(drained(session(tmp_path, url=url))) as outbox:
        put(outbox, "a", "b", "c")
        wait(lambda: outbox.health().moved == 3)
    assert call("status", "--workspace", ran.workspace, "--json") == 0
    assert json.loads(capsys.readouterr().out)["captured"] == 3
