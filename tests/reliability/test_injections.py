"""S-1: whatever a request holds, and wherever it holds it, the statements of SQL are the same."""

import http.client
import json
import sqlite3
import time
from contextlib import closing
from urllib.parse import quote

import pytest
from tests.reliability.injections import payloads

from stepdown.store import schema, sqlite
from stepdown.store.sqlite import read_lines, read_tallies

HEADERS = (
    "x-api-key",
    "x-stepdown-task",
    "x-stepdown-session",
    "x-stepdown-bypass",
    "user-agent",
    "cookie",
    "x-request-id",
    "x-forwarded-for",
    "openai-organization",
    "anthropic-version",
    "content-type",
    "accept",
)

NOT_EVERY_TIME = {"BEGIN IMMEDIATE", "COMMIT", "PRAGMA wal_checkpoint(PASSIVE)"}
"""What a busy store says beside the statements that any one call needs."""


@pytest.fixture
def statements(monkeypatch):
    """The texts of all statements that any connection of the store is given."""
    found = set()

    class Recorded(sqlite3.Connection):
        def execute(self, statement, *values):
            found.add(statement)
            return super().execute(statement, *values)

        def executemany(self, statement, *values):
            found.add(statement)
            return super().executemany(statement, *values)

        def executescript(self, *statement):
            raise AssertionError("a script has no bound values")

        def cursor(self, factory=None):
            raise AssertionError("a cursor's statements would not be seen")

    real = sqlite3.connect

    def connect(*where, **how):
        return real(*where, factory=Recorded, **how)

    for module in (schema, sqlite):
        monkeypatch.setattr(module.sqlite3, "connect", connect)
    return found


class Caller:
    """One kept connection; counts statuses."""

    def __init__(self, url):
        self.address = url.removeprefix("http://")
        self.connection = http.client.HTTPConnection(self.address, timeout=30)
        self.statuses = {}
        self.slowest = 0.0

    def send(self, path, value, headers):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        head = [b"POST " + path.encode(), b" HTTP/1.1\r\nhost: x\r\n"]
        lines = {"content-length": str(len(body))} | headers
        for name, text in lines.items():
            one_line = text.encode("utf-8", "replace").translate(None, b"\r\n")
            head.append(name.encode() + b": " + one_line + b"\r\n")
        began = time.monotonic()
        if self.connection.sock is None:
            self.connection.connect()
        self.connection.sock.sendall(b"".join([*head, b"\r\n", body]))
        reply = http.client.HTTPResponse(self.connection.sock)
        reply.begin()
        reply.read()
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.statuses[reply.status] = self.statuses.get(reply.status, 0) + 1
        if reply.status >= 500 or reply.will_close or reply.status in (400, 413, 431):
            self.connection.close()
        return reply.status


def everywhere(text):
    """Return the headers that hold a text, as far as one may."""
    short = text[:2000]
    return {"authorization": short, **dict.fromkeys(HEADERS, short)}


def bodies(body, text):
    """Return bodies that hold a text in every field; the first is answered, the others need not."""
    named = {"stepdown_task": text, text[:200]: text[:200]}
    tool = {"type": "function", "function": {"name": text[:300], "parameters": {"title": text}}}
    form = {"type": "json_schema", "json_schema": {"name": text[:300], "schema": {"title": text}}}
    return (
        body("hello", metadata={text[:200]: text}),
        {**body(text), "model": text, "user": text, "metadata": named, "stop": text[:2000]},
        {**body("hm"), "tools": [tool], "response_format": form, "tool_choice": text[:300]},
        {"messages": text, "model": {"a": text}, text[:200]: text},
    )


@pytest.mark.reliability
def test_s1_no_input_changes_a_statement(start, world, body, statements, figure):
    start()
    with_plain = Caller(world.url)
    for value in bodies(body, "plain"):
        with_plain.send("/v1/chat/completions", value, {"authorization": "Bearer x"})
    assert list(read_lines(world.path, task="x", tier="y")) == []
    assert read_tallies(world.path)
    fixed = set(statements)
    statements.clear()
    caller = Caller(world.url)
    given = payloads()
    for number, text in enumerate(given):
        world.upstream.fault = "status:400" if number % 4 == 3 else ""
        value = bodies(body, text)[number % 4] if number % 5 else text.encode("utf-8", "replace")
        headers = everywhere(text) if number % 2 else {"authorization": "Bearer x"}
        query = quote(text[:500], safe="")
        path = ("chat/completions", "route", "messages", "responses", "embeddings")[number % 5]
        caller.send(f"/v1/{path}?a={query}", value, headers)
        caller.send("/v1/chat/completions", bodies(body, text)[0], everywhere(text))
        caller.send(f"/v1/models/{query}", b"", {})
        if number % 50 == 0:
            list(read_lines(world.path, task=text, tier=text))
    assert {status for status in caller.statuses if status >= 500} == set()
    assert caller.statuses[200] > len(given)
    assert statements <= fixed | NOT_EVERY_TIME
    with closing(sqlite3.connect(world.path)) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    told = ", ".join(f"{count} of {status}" for status, count in sorted(caller.statuses.items()))
    figure(f"{len(given):,} payloads, {len(fixed)} statements with and without: {told}")


@pytest.mark.reliability
def test_s1_nor_does_a_key_that_is_refused(start, world, body, statements, figure):
    start(client_keys=("the-only-key",))
    caller = Caller(world.url)
    caller.send("/v1/chat/completions", body("hello"), {"authorization": "Bearer the-only-key"})
    fixed = set(statements)
    statements.clear()
    for text in payloads():
        status = caller.send("/v1/chat/completions", body("hello"), everywhere(text))
        assert status in (400, 401, 431), text[:100]
    assert statements == set()
    assert fixed
    assert len(world.lines()) == 1
    figure(f"{caller.statuses[401]:,} keys refused without any statement")
