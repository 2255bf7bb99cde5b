"""Paths that nobody here knows: passed through to the byte, and captured nowhere."""


def test_other_paths_are_relayed_byte_for_byte(start, world, ask):
    start()
    sent = b'{"input":  "x"}'
    reply = ask("POST", "/v1/embeddings?a=%20b", sent, {"content-type": "application/json"})
    assert reply.json()["path"] == "/v1/embeddings"
    method, path, headers, body = world.upstream.seen[0]
    assert (method, path, body) == ("POST", "/v1/embeddings?a=%20b", sent)
    assert headers["Content-Type"] == "application/json"
    for method, path in (("GET", "/v1/files/a%2Fb"), ("DELETE", "/v1/files/x")):
        assert ask(method, path).status == 200
        assert world.upstream.seen[-1][:2] == (method, path)
    assert ask("POST", "/embeddings", sent).json()["path"] == "/v1/embeddings"
    world.upstream.fault = "status:418"
    assert ask("POST", "/v1/moderations", sent).status == 418
    world.upstream.fault = "cut:0"
    assert ask("POST", "/v1/moderations", sent).status in (200, 502)
    assert world.lines() == []


def test_a_stream_that_passes_through_ends_where_it_breaks(start, world, ask):
    start()
    world.upstream.fault = "ends:2"
    reply = ask("POST", "/v1/completions", b'{"stream": true}')
    assert reply.status == 200
    world.upstream.fault = "blackhole"
    slow = ask("POST", "/v1/completions", b"{}")
    assert (slow.status, slow.json()["error"]["code"]) == (504, "upstream_timeout")
    assert slow.headers["x-should-retry"] == "false"


def test_without_an_upstream_it_says_what_is_missing(start, ask):
    start(base_url=None)
    reply = ask("POST", "/v1/embeddings", b"{}")
    assert (reply.status, reply.json()["error"]["code"]) == (503, "no_upstream")
