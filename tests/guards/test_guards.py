"""Every guard is proven from a configuration file over HTTP: on, it fires; off, it does not.

A gateway of its own process stands before a double of an upstream; each guard has a setting that
turns it on, one that turns it off (or makes it wide), and an attack that says whether it fired.
"""

import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.serve.conftest import FakeUpstream

KEY = "sk-aB3dE5fG7hI9jK1lM3nO5pQ7"


class Place(NamedTuple):
    """Where a guard is tried."""

    address: str
    upstream: FakeUpstream
    workspace: Path


class Guard(NamedTuple):
    """A guard's two settings, and the attack: True when the guard fired."""

    on: str
    off: str
    fires: Callable[[Place], bool]


def ask(place, text="hello", **headers):
    """Return the status of one call and its body."""
    turns = [{"role": "user", "content": text}]
    body = json.dumps({"model": "gpt-4o", "messages": turns}).encode()
    request = urllib.request.Request(
        f"{place.address}/chat/completions", body, {"content-type": "application/json", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def retries(place):
    place.upstream.fault = "busy"
    ask(place)
    return len(place.upstream.seen) > 1


def large_body(place):
    return ask(place, "x" * 20_000)[0] == 413


def no_key(place):
    return ask(place)[0] == 401


def fall_back(place):
    place.upstream.fault = "status:503"
    ask(place)
    return len(place.upstream.seen) > 1


def slow_upstream(place, *, stream=True):
    place.upstream.fault = "blackhole"
    threading.Timer(2.0, place.upstream.release.set).start()
    began = time.monotonic()
    turns = [{"role": "user", "content": "x"}]
    body = json.dumps({"model": "m", "messages": turns, "stream": stream}).encode()
    request = urllib.request.Request(f"{place.address}/chat/completions", body)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            reply.read()
    except urllib.error.HTTPError as refused:
        return refused.code == 504 and time.monotonic() - began < 1.8
    return False


def late_answer(place):
    return slow_upstream(place, stream=False)


def crowd(place):
    place.upstream.fault = "blackhole"
    first = threading.Thread(target=ask, args=(place,))
    first.start()
    while not place.upstream.seen:
        time.sleep(0.01)
    threading.Timer(1.0, place.upstream.release.set).start()
    status, _ = ask(place)
    first.join()
    return status == 503


def credentials(place):
    ask(place, f"my key is {KEY}")
    kept = b"".join(path.read_bytes() for path in place.workspace.glob("calls.db*"))
    assert b"my key is" in kept
    return KEY.encode() not in kept


def broken_store(place):
    with closing(sqlite3.connect(place.workspace / "calls.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        statuses = [ask(place)[0] for _ in range(3)]
        other.execute("ROLLBACK")
    return 503 in statuses


def public_name(place):
    return ask(place)[0] == 503 and place.upstream.seen == []


_LEADS_HERE = '[tiers.frontier]\nbase_url = "http://api.example.com:{port}"\n'
"""The gateway's process finds 127.0.0.1 under this name: see `_RESOLVER`."""

_RESOLVER = """
import uvloop, socket

class Loop(uvloop.Loop):
    async def getaddrinfo(self, host, port, **options):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

uvloop.Loop.getaddrinfo = Loop.getaddrinfo
"""


def full_outbox(place):
    """The database is down, and more waits than may."""
    statuses = []
    for _ in range(12):
        statuses.append(ask(place, "x" * 200_000)[0])
        time.sleep(0.1)
    return 503 in statuses


NO_DATABASE = '[store]\nurl = "postgresql://u@127.0.0.1:1/d"\nwhen_full = "refuse"\n'

GUARDS = {
    "outbox_bytes": Guard(
        NO_DATABASE + "outbox_bytes = 1048576",
        NO_DATABASE + "outbox_bytes = 100000000",
        full_outbox,
    ),
    "retries": Guard("[serve]\nretries = 1", "[serve]\nretries = 0", retries),
    "max_body_bytes": Guard(
        "[serve]\nmax_body_bytes = 10000", "[serve]\nmax_body_bytes = 100000", large_body
    ),
    "client_keys_env": Guard('[serve]\nclient_keys_env = "GUARD_KEYS"', "", no_key),
    "keys": Guard('[serve]\nkeys = "required"', "", no_key),
    "first_byte_seconds": Guard(
        "[serve]\nfirst_byte_seconds = 0.5", "[serve]\nfirst_byte_seconds = 10", slow_upstream
    ),
    "deadline_seconds": Guard(
        "[serve]\ndeadline_seconds = 0.5", "[serve]\ndeadline_seconds = 10", late_answer
    ),
    "answer_seconds": Guard(
        '[tiers.frontier]\nbase_url = "UPSTREAM"\nanswer_seconds = 0.5',
        '[tiers.frontier]\nbase_url = "UPSTREAM"',
        late_answer,
    ),
    "fallbacks": Guard(
        '[tiers.frontier]\nbase_url = "UPSTREAM"\nfallbacks = [{base_url = "UPSTREAM"}]',
        '[tiers.frontier]\nbase_url = "UPSTREAM"',
        fall_back,
    ),
    "max_requests": Guard("[serve]\nmax_requests = 1", "[serve]\nmax_requests = 10", crowd),
    "max_upstream_requests": Guard(
        "[serve]\nmax_upstream_requests = 1", "[serve]\nmax_upstream_requests = 10", crowd
    ),
    "redact": Guard('[store]\nredact = ["credentials"]', "[store]\nredact = []", credentials),
    "when_full": Guard(
        '[store]\nwhen_full = "refuse"', '[store]\nwhen_full = "shed"', broken_store
    ),
    "allow_private": Guard(_LEADS_HERE, f"{_LEADS_HERE}allow_private = true", public_name),
}


@contextmanager
def gateway(tmp_path, settings):
    """A gateway on a configuration file, in a process of its own."""
    (tmp_path / "sitecustomize.py").write_text(_RESOLVER)
    with closing(FakeUpstream()) as upstream:
        settings = settings.replace("UPSTREAM", upstream.url)
        (tmp_path / "stepdown.toml").write_text(
            f"{settings.replace('{port}', str(upstream.port))}\n"
        )
        command = [sys.executable, "-m", "stepdown", "serve", "--port", "0"]
        leads_here = "{port}" in settings
        named = [] if leads_here else ["--upstream", upstream.url]
        places = [str(tmp_path)] if leads_here else []
        paths = os.pathsep.join([*places, *filter(None, [os.environ.get("PYTHONPATH")])])
        process = subprocess.Popen(
            [*command, *named],
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=os.environ
            | {"STEPDOWN_WORKSPACE": str(tmp_path / "w"), "GUARD_KEYS": "k1", "PYTHONPATH": paths},
        )
        assert process.stderr is not None
        try:
            told = None
            while told is None:
                line = process.stderr.readline()
                assert line
                told = re.search(r"Ready on (\S+);", line)
            yield Place(told[1], upstream, tmp_path / "w")
        finally:
            upstream.release.set()
            process.kill()
            process.stderr.close()
            process.wait()


@pytest.mark.parametrize("name", GUARDS)
@pytest.mark.parametrize("fires", [True, False], ids=["on", "off"])
def test_o8_on_it_fires_and_off_it_does_not(name, fires, tmp_path):
    guard = GUARDS[name]
    with gateway(tmp_path, guard.on if fires else guard.off) as place:
        assert guard.fires(place) is fires
