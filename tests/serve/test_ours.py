"""Answers of our own carry the request's id where clients look for it; relayed ones keep theirs."""

import json

import pytest

ID = "x-stepdown-request-id"


def message(user):
    said = [{"role": "user", "content": user}]
    return {"model": "m", "max_tokens": 9, "system": "Name the intent.", "messages": said}


def test_our_answers_have_the_id_that_clients_show(start, ask, body):
    start()
    for path, value, names in (
        ("/v1/chat/completions", body(), {"x-request-id"}),
        ("/v1/chat/completions", body(stream=True), {"x-request-id"}),
        ("/v1/messages", message("hello"), {"x-request-id", "request-id"}),
        ("/v1/models", None, {"x-request-id"}),
        ("/healthz", None, {"x-request-id"}),
    ):
        headers = ask("GET" if value is None else "POST", path, value).headers
        found = {name: headers[name] for name in ("x-request-id", "request-id") if name in headers}
        assert found == dict.fromkeys(names, headers[ID]), path


@pytest.mark.parametrize("root", ["/v1/chat/completions", "/v1/messages", "/v1/messages/batches"])
def test_our_errors_do_too(start, world, ask, body, root):
    start(base_url=None)
    sent = message("hm") if "messages" in root else body("hm")
    for method, value, status in (("POST", sent, 503), ("POST", b"{", 400), ("GET", None, 405)):
        reply = ask(method, root, value)
        assert reply.status == (503 if "batches" in root else status)
        id, told = reply.headers[ID], reply.json()
        assert reply.headers["x-request-id"] == id
        if "messages" in root:
            assert (reply.headers["request-id"], told["request_id"]) == (id, id)
        else:
            assert "request_id" not in told


def test_an_upstreams_own_id_wins(start, world, complete, body):
    start()
    reply = complete(body("hm"))
    assert (reply.status, reply.headers["x-request-id"]) == (200, "up-1")
    assert reply.headers[ID] != "up-1"


def test_a_failure_of_the_gateway_itself_has_the_id(start, ask, monkeypatch):
    def broken(*given):
        raise RuntimeError("private details")

    monkeypatch.setattr("stepdown.serve.answering.estimated_usage", broken)
    start()
    reply = ask("POST", "/v1/messages", json.dumps(message("hello")).encode())
    assert (reply.status, reply.json()["request_id"]) == (500, reply.headers["request-id"])


def test_a_wrong_method_is_told_in_anthropics_shape(start, ask):
    start()
    reply = ask("GET", "/v1/messages")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    squeezed = ask("POST", "/v1/v1/messages", b"x", {"content-encoding": "gzip"})
    assert squeezed.status == 415
    for told in (reply.json(), squeezed.json()):
        assert (told["type"], told["error"]["type"]) == ("error", "invalid_request_error")
