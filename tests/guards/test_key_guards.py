"""Keys made by the command, a configuration file, a gateway of its own process: each limit fires
over HTTP where it is set, and does not where it is not; money holds across kills and processes."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import closing, contextmanager

import pytest
from tests.serve.conftest import FakeUpstream
from tests.spending import read_spending

from stepdown.core.keys import NANODOLLARS

pytestmark = pytest.mark.reliability

CALL_USD = 0.10
SETTINGS = """
[tiers.frontier]
base_url = "{upstream}"
api_key_env = "GUARD_UPSTREAM_KEY"
usd_per_1000 = 100.0
"""


def run(tmp_path, *arguments):
    """Run a command in the workspace; returns its output."""
    done = subprocess.run(
        [sys.executable, "-m", "stepdown", *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
        env=os.environ | {"STEPDOWN_WORKSPACE": str(tmp_path / "w")},
    )
    return done.stdout.strip()


@contextmanager
def gateway(tmp_path, upstream, more="", settings=SETTINGS):
    """A gateway's process and address."""
    text = settings.replace("{upstream}", upstream.url) + more
    (tmp_path / "stepdown.toml").write_text(text)
    variables = {"STEPDOWN_WORKSPACE": str(tmp_path / "w"), "GUARD_UPSTREAM_KEY": "sk-upstream"}
    process = subprocess.Popen(
        [sys.executable, "-m", "stepdown", "serve", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=os.environ | variables,
    )
    try:
        told = re.search(r"Ready on (\S+);", process.stderr.readline())
        yield process, told[1]
    finally:
        process.kill()
        process.stderr.close()
        process.wait()


@pytest.fixture
def upstream():
    with closing(FakeUpstream()) as made:
        yield made
        made.release.set()


def ask(address, key, **fields):
    """Return the status of a call that goes around all students, and the code of its refusal."""
    turns = [{"role": "user", "content": "hello"}]
    body = json.dumps({"model": "m", "messages": turns, "max_tokens": 50, **fields}).encode()
    headers = {"authorization": f"Bearer {key}", "x-stepdown-bypass": "true"}
    request = urllib.request.Request(f"{address}/chat/completions", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, None
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())["error"]["code"]
    except OSError:
        return 0, "gone"


LIMITS = {
    "--rpm": (["--rpm", "2"], "rate_limited"),
    "--tokens-per-minute": (["--tokens-per-minute", "110"], "tokens_exceeded"),
    "--escalations-per-minute": (["--escalations-per-minute", "2"], "rate_limited"),
    "--usd-per-day": (["--usd-per-day", "0.2"], "budget_exceeded"),
    "--usd-per-month": (["--usd-per-month", "0.2"], "budget_exceeded"),
    "--usd-total": (["--usd-total", "0.2"], "budget_exceeded"),
    "--tasks": (["--tasks", "tickets"], "task_not_allowed"),
}


def test_o8_limits_of_keys_fire_where_they_are_set_and_not_where_they_are_not(tmp_path, upstream):
    keys = {
        name: run(tmp_path, "keys", "add", name.strip("-"), *given)
        for name, (given, _) in LIMITS.items()
    }
    free = run(tmp_path, "keys", "add", "free")
    upstream.completion = lambda model: {"usage": {"prompt_tokens": 20, "completion_tokens": 50}}
    with gateway(tmp_path, upstream) as (_, address):
        for name, (_, code) in LIMITS.items():
            told = [ask(address, keys[name]) for _ in range(3)]
            assert told[-1][1] == code, (name, told)
        assert [ask(address, free) for _ in range(5)] == [(200, None)] * 5
        assert ask(address, "sd-000000000000-x")[0] == 401


@pytest.mark.parametrize("fires", [True, False], ids=["on", "off"])
def test_o8_max_usd_per_hour(tmp_path, upstream, fires):
    more = f"[serve]\nmax_usd_per_hour = {0.2 if fires else 20.0}\n"
    with gateway(tmp_path, upstream, more) as (_, address):
        codes = [ask(address, "any")[1] for _ in range(4)]
    # The clock's hour may end in between.
    assert ("budget_exceeded" in codes) is fires


@pytest.mark.parametrize("fires", [True, False], ids=["on", "off"])
def test_o8_max_output_tokens(tmp_path, upstream, fires):
    key = run(tmp_path, "keys", "add", "k", "--tokens-per-minute", "2000")
    more = f"[serve]\nmax_output_tokens = {1990 if fires else 100}\n"
    with gateway(tmp_path, upstream, more) as (_, address):
        upstream.completion = lambda model: {"id": "no usage"}
        codes = [ask(address, key, max_tokens=None)[1] for _ in range(2)]
    assert ("tokens_exceeded" in codes) is fires


@pytest.mark.parametrize("fires", [True, False], ids=["on", "off"])
def test_o8_the_admin_plane_is_there_with_a_secret_alone(tmp_path, upstream, fires, monkeypatch):
    secret = "a-secret-of-an-administrator"
    monkeypatch.setenv("ADMIN", secret if fires else "")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    more = f'[admin]\nport = {port}\nsecret_env = "ADMIN"\n'
    with gateway(tmp_path, upstream, more) as (process, address):
        if not fires:
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0
            return
        url = f"http://127.0.0.1:{port}/admin/keys"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(url)
        asked = urllib.request.Request(
            url, b'{"name": "made"}', {"authorization": f"Bearer {secret}"}
        )
        with urllib.request.urlopen(asked) as reply:
            key = json.loads(reply.read())["key"]
        assert ask(address, key) == (200, None)
        assert ask(address, "any")[0] == 401
        process.terminate()
        assert process.wait(20) == 0
    assert "made" in run(tmp_path, "keys", "list")


def test_s16_ten_calls_of_money_two_hundred_at_once_and_a_kill_midway(tmp_path, upstream, figure):
    key = run(tmp_path, "keys", "add", "team", "--usd-total", "1.0")
    upstream.pause = 0.2
    told = []

    def attack(address):
        threads = [
            threading.Thread(target=lambda: told.append(ask(address, key))) for _ in range(200)
        ]
        for thread in threads:
            thread.start()
        return threads

    def kill_midway(process):
        while len(upstream.seen) < 4:
            threading.Event().wait(0.005)
        process.kill()

    with gateway(tmp_path, upstream) as (process, address):
        threads = attack(address)
        kill_midway(process)
        for thread in threads:
            thread.join()
    counted = sum(read_spending(tmp_path / "w" / "spend.db").values())
    assert len(upstream.seen) * CALL_USD <= counted / NANODOLLARS <= 1.0
    with gateway(tmp_path, upstream) as (process, address):
        for thread in attack(address):
            thread.join()
    sent = len(upstream.seen)
    assert 4 <= sent <= 10
    assert {code for status, code in told if status == 429} == {"budget_exceeded"}
    assert sum(read_spending(tmp_path / "w" / "spend.db").values()) <= NANODOLLARS
    figure(f"$1.00 for calls of $0.10; 2 times 200 at once, killed midway: {sent} calls sent")


def test_s16_a_refused_request_holds_nothing_and_a_kill_loses_none_of_it(tmp_path, upstream):
    key = run(tmp_path, "keys", "add", "team", "--usd-total", "1.0")
    by_list = SETTINGS.replace("usd_per_1000 = 100.0", "")
    with gateway(tmp_path, upstream, settings=by_list) as (process, address):
        large = {"model": "gpt-4o", "n": 128_000}
        assert ask(address, key, **large) == (429, "budget_exceeded")
        assert ask(address, key, model="gpt-4o") == (200, None)
        process.kill()
    assert read_spending(tmp_path / "w" / "spend.db").popitem()[1] <= NANODOLLARS // 50
    with gateway(tmp_path, upstream, settings=by_list) as (_, address):
        told = [ask(address, key, **more) for more in (large, *[{"model": "gpt-4o"}] * 40)]
    assert told == [(429, "budget_exceeded"), *[(200, None)] * 40]


def test_s16_what_is_not_used_comes_back_at_a_clean_end(tmp_path, upstream):
    key = run(tmp_path, "keys", "add", "team", "--usd-total", "1.0")
    for _ in range(2):
        with gateway(tmp_path, upstream) as (process, address):
            assert [ask(address, key)[0] for _ in range(5)] == [200] * 5
            process.terminate()
            assert process.wait(20) == 0
    with gateway(tmp_path, upstream) as (_, address):
        assert ask(address, key) == (429, "budget_exceeded")
    assert len(upstream.seen) == 10


def test_s16_two_gateways_spend_from_one_purse(tmp_path, upstream, figure):
    for name in "ab":
        (tmp_path / name).mkdir()
    key = run(tmp_path / "a", "keys", "add", "team", "--usd-total", "1.0")
    (tmp_path / "b" / "w").mkdir()
    for file in ("keys.json", "spend.db"):
        (tmp_path / "b" / "w" / file).symlink_to(tmp_path / "a" / "w" / file)
    with (
        gateway(tmp_path / "a", upstream) as (_, first),
        gateway(tmp_path / "b", upstream) as (_, second),
    ):
        threads = [
            threading.Thread(target=ask, args=((first, second)[n % 2], key)) for n in range(60)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert 8 <= len(upstream.seen) <= 10
    figure(f"two gateways on one purse of 10 calls: {len(upstream.seen)} sent")


def test_p5_what_keys_leave_behind_is_its_owners_alone_and_holds_no_key(tmp_path, upstream):
    key = run(tmp_path, "keys", "add", "team", "--usd-total", "1.0")
    with gateway(tmp_path, upstream) as (process, address):
        assert ask(address, key)[0] == 200
        process.terminate()
        process.wait(20)
        said = process.stderr.read()
    files = [path for path in (tmp_path / "w").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o077 for path in files} == {0}
    assert not any(key[16:].encode() in path.read_bytes() for path in files)
    assert key[16:] not in said
    assert all(b"sd-" not in str(one).encode() for one in upstream.seen)
