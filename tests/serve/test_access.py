"""The access log, on a gateway that writes one."""

import json
import stat

import pytest

from stepdown.errors import UsageError

KEY = "sk-aB3dE5fG7hI9jK1lM3nO5pQ7"


@pytest.fixture
def logged(start, tmp_path, world):
    """A gateway with an access log, and its lines once the gateway has ended."""

    class Logged:
        path = tmp_path / "access.jsonl"

        def __call__(self, **settings):
            start(access_log=str(self.path), **settings)

        def lines(self):
            world.stop()
            return [json.loads(line) for line in self.path.read_bytes().splitlines()]

    return Logged()


def test_each_request_is_one_line(logged, world, complete, ask, body):
    logged()
    complete(body(), {"user-agent": "me/1"})
    complete(body("hm", stream=True))
    world.upstream.fault = "status:429"
    complete(body("hm"))
    ask("GET", "/nowhere?password=1")
    first, second, third, fourth = logged.lines()
    assert (first["status"], first["path"], first["method"]) == (
        200,
        "/v1/chat/completions",
        "POST",
    )
    assert (first["tier"], first["decision"], first["reason"]) == ("small", "answered", "confident")
    assert (first["task"], first["model"], first["user_agent"]) == (
        "intents",
        "stepdown/intents",
        "me/1",
    )
    assert first["bytes_in"] == len(json.dumps(body()))
    assert first["bytes_out"] > 100
    assert first["tokens_in"] > 0
    assert second["tier"] == "frontier"
    assert second["bytes_out"] > 100
    assert third["status"] == 429
    assert (fourth["status"], fourth["path"], fourth["tier"]) == (404, "/nowhere", None)
    ids = {line["stepdown"]["tier"]: line["id"] for line in world.lines()}
    assert ids["small"] == first["id"]
    assert stat.S_IMODE(logged.path.stat().st_mode) == 0o600


def test_a_stream_that_broke_off_says_so(logged, world, complete, body):
    logged()
    world.upstream.fault = "cut:2"
    complete(body("hm", stream=True))
    (line,) = logged.lines()
    assert (line["status"], line["problem"]) == (200, "upstream_broke_off")


def test_a_refused_request_says_that_it_is(logged, world, complete, ask, body):
    key = world.issue(tasks=("others",))
    logged(api_key="sk-ours")
    for reply in (
        complete(body(), {"authorization": f"Bearer {key}"}),
        complete(body()),
        complete(b"{", {"authorization": f"Bearer {key}"}),
        ask("GET", "/nowhere"),
        ask("GET", "/v1/chat/completions"),
    ):
        code = reply.json()["error"]["code"]
        assert reply.decision() == ("refused", code)
        assert "x-stepdown-confidence" not in reply.headers
        assert "x-stepdown-tier" not in reply.headers
    page = ask("GET", "/metrics").body
    lines = logged.lines()
    codes = ["task_not_allowed", "invalid_api_key", "invalid_request", "not_found"]
    assert [line["reason"] for line in lines[:-1]] == [*codes, "method_not_allowed"]
    assert {line["decision"] for line in lines[:-1]} == {"refused"}
    assert lines[-1]["decision"] is None
    for code in codes:
        assert f'decision="refused",reason="{code}"'.encode() in page


def test_p4_no_text_and_no_key_is_in_it(logged, complete, ask, body):
    logged()
    headers = {"authorization": f"Bearer {KEY}", "user-agent": f"curl {KEY}", "x-api-key": KEY}
    complete(body("my password is swordfish", model=KEY), headers)
    complete(body("my password is swordfish", stream=True), headers)
    ask("GET", f"/v1/models/{KEY}", headers=headers)
    complete(b'{"swordfish', headers)
    logged.lines()
    said = logged.path.read_bytes()
    assert b"swordfish" not in said
    assert KEY.encode() not in said
    assert said.count(b"\n") == 4


def test_a_place_where_none_can_be_is_said(start, tmp_path):
    with pytest.raises(UsageError, match="access log"):
        start(access_log=str(tmp_path / "no" / "log"))
