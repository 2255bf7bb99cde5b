"""Every path and method against six identities; the table below is checked in, on purpose twice."""

import time

import pytest

from stepdown.serve.app import HANDLERS, make_app
from stepdown.serve.gateway import Gateway
from stepdown.serve.roles import ANY, CALLS, admitted_as
from stepdown.serve.settings import Settings

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")

# Who is let in, by path and method; any other method is refused to all (405), by no identity.
LET_IN = {
    "/v1/chat/completions": {"POST": {"client", "virtual"}},
    "/v1/messages": {"POST": {"client", "virtual"}},
    "/v1/responses": {"POST": {"client", "virtual"}},
    "/v1/models": {"GET": {"client", "virtual"}},
    "/v1/models/*": {method: {"client", "virtual"} for method in METHODS},
    "/v1/route": {"POST": {"client", "virtual"}},
    "/v1/*": {method: {"client", "virtual"} for method in METHODS},
    "/health": {"GET": "all", "HEAD": "all"},
    "/healthz": {"GET": "all", "HEAD": "all"},
    "/readyz": {"GET": "all", "HEAD": "all"},
    "/metrics": {"GET": {"client"}},
}


@pytest.fixture
def identities(world):
    """Six callers' headers, by what they are."""
    keys = {
        "nobody": "",
        "stranger": "sd-000000000000-team-" + "t" * 40,
        "client": "client-key",
        "virtual": world.issue(),
        "expired": world.issue("expired", expires=1.0),
        "revoked": world.issue("revoked", revoked=1.0),
    }
    return {who: {"authorization": f"Bearer {key}"} if key else {} for who, key in keys.items()}


def test_s2_the_table_of_roles_and_the_applications_paths_are_the_same():
    assert set(HANDLERS) == set(CALLS) == set(LET_IN)
    for path, methods in HANDLERS.items():
        assert set(methods) == set(CALLS[path])
    with pytest.raises(LookupError):
        admitted_as(CALLS, "/new", "GET")
    with pytest.raises(LookupError):
        admitted_as(CALLS, "/healthz", "POST")


def test_s2_a_handler_without_a_role_keeps_the_gateway_from_starting(world, monkeypatch):
    monkeypatch.setitem(HANDLERS, "/new", HANDLERS["/healthz"])
    with pytest.raises(LookupError):
        make_app(Gateway(Settings(), world.load, None))


def test_s2_six_identities_on_every_path_and_method(start, world, identities, ask, figure):
    start(client_keys=("client-key",), api_key="upstream-key", host="0.0.0.0")
    world.url = world.url.replace("0.0.0.0", "127.0.0.1")
    tried = 0
    for path, methods in LET_IN.items():
        for method in METHODS:
            for who, headers in identities.items():
                reply = ask(method, path.replace("*", "x"), headers=headers)
                admitted = methods.get(method, set())
                expected = (
                    405 if not admitted else 200 if admitted == "all" or who in admitted else 401
                )
                found = reply.status
                if expected == 200:
                    assert found not in (401, 403, 405), (path, method, who)
                else:
                    assert found == expected, (path, method, who, found)
                tried += 1
    figure(f"{tried} combinations of path, method and identity, all as in the table")


@pytest.mark.parametrize("path", ["/", "/admin", "/v2/models", "/metrics/", "//v1/models", "/v1"])
def test_s2_what_is_in_no_table_is_there_for_nobody(start, identities, ask, path):
    start(client_keys=("client-key",), api_key="upstream-key")
    for headers in identities.values():
        assert ask("GET", path, headers=headers).status == 404


def test_ready_tells_strangers_no_more_than_whether_it_is(start, world, ask, identities):
    start(client_keys=("client-key",), api_key="k", host="0.0.0.0")
    world.url = world.url.replace("0.0.0.0", "127.0.0.1")
    for who, headers in identities.items():
        told = ask("GET", "/readyz", headers=headers).json()
        assert ("routes" in told) == (who == "client"), who
        assert told["status"] == "ready"


def test_s3_a_revoked_key_stops_within_five_seconds(start, world, complete, body, wait):
    world.issue()
    key = {"x-api-key": world.issue("second")}
    start(api_key="upstream-key")
    assert complete(body(), key).status == 200
    world.revoke(1)
    began = time.monotonic()
    wait(lambda: complete(body(), key).status == 401)
    assert time.monotonic() - began < 5.0
    new = {"api-key": world.issue("third")}
    wait(lambda: complete(body(), new).status == 200)


HOSTS = [b"x/?", b"a#b", b"127.0.0.1@evil", b"x" * 8000, b"[::1", b"", b"evil\xff", b"admin"]


@pytest.mark.parametrize("host", HOSTS)
def test_s7_no_host_changes_who_gets_in(start, world, raw, host):
    key = world.issue().encode()
    start(api_key="upstream-key")
    for path in (b"/v1/route", b"/v1/models", b"/metrics", b"/v1/anything"):
        for presented, expected in ((b"sd-000000000000-x", (401,)), (key, (200, 400, 405))):
            received = raw(
                b"GET %b HTTP/1.1\r\nhost: %b\r\nauthorization: Bearer %b\r\nconnection: close"
                b"\r\n\r\n" % (path, host, presented)
            )
            status = int(received.split()[1])
            if path in (b"/metrics", b"/v1/route"):
                # On loopback metrics are for all; a path's methods are no secret.
                assert status in (200, 400, 405), (host, path)
            else:
                assert status in (*expected, 400), (host, path)


@pytest.mark.parametrize("head", [b"", b"host: a\r\nhost: b\r\n"])
def test_s7_none_or_two_hosts_are_refused(start, raw, head):
    start()
    assert raw(b"GET /v1/models HTTP/1.1\r\n" + head + b"\r\n").startswith(b"HTTP/1.1 400")


def test_a_virtual_key_is_never_sent_upstream(start, world, complete, ask, body, wait):
    start()
    world.keys_at_start = world.issue()
    key = {"authorization": f"Bearer {world.keys_at_start}"}
    wait(lambda: complete(body()).status == 401)
    refused = complete(body("hm"), key)
    assert (refused.status, refused.json()["error"]["code"]) == (503, "no_upstream_key")
    assert ask("POST", "/v1/embeddings", {}, key).status == 503
    assert complete(body(), key).decision() == ("answered", "confident")
    ask("GET", "/v1/models", headers=key)
    assert "sd-0" not in str(world.upstream.seen)


def test_the_key_is_named_in_the_captured_line_and_never_told(start, world, complete, body):
    whole = world.issue()
    start(api_key="upstream-key")
    complete(body(f"hm {whole}"), {"authorization": f"Bearer {whole}"})
    (line,) = world.lines()
    assert (line["stepdown"]["key"], line["stepdown"]["key_name"]) == ("0" * 12, "team")
    kept = b"".join(path.read_bytes() for path in world.path.parent.glob("calls.db*"))
    assert whole.encode() not in kept


def test_any_method_has_its_role():
    assert admitted_as(CALLS, "/v1/*", "BREW") == "caller"
    assert CALLS["/v1/*"] == {ANY: "caller"}
