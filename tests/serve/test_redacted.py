"""P-1, P-2 over HTTP: what no store may hold is not in it; what can't be cleaned is not kept."""

import json
import time

import pytest
from tests.core.test_redaction import CREDENTIALS, written

from stepdown.core.redaction import Redactor
from stepdown.serve.settings import Endpoint


def test_p1_nothing_of_them_is_in_the_store(start, world, complete, body):
    start(api_key="gateway-own-upstream-key", mid=Endpoint("http://h", "gateway-own-mid-key"))
    said = " ".join(written(name) for name in CREDENTIALS)
    world.upstream.words = said.split(" ")
    for stream in (False, True):
        complete(body(f"{said} gateway-own-upstream-key gateway-own-mid-key", stream=stream))
    assert len(world.lines()) == 2
    kept = b"".join(path.read_bytes() for path in world.path.parent.glob("calls.db*"))
    for name, secret in CREDENTIALS.items():
        assert secret.encode() not in kept, name
    assert b"gateway-own" not in kept


def test_p1_the_answer_itself_is_untouched(start, world, complete, body):
    start()
    world.upstream.words = [CREDENTIALS["openai"]]
    assert CREDENTIALS["openai"].encode() in complete(body("hm")).body


def test_p2_what_cannot_be_cleaned_is_not_kept(start, world, complete, body, ask, monkeypatch):
    def broken(self, line):
        raise RecursionError

    monkeypatch.setattr(Redactor, "clean", broken)
    start()
    assert complete(body("hm")).status == 200
    (line,) = world.lines()
    assert (line["request"], line["response"]) == (None, None)
    assert "redaction failed" in line["error"]["message"]
    assert line["stepdown"]["tier"] == "frontier"
    assert b"stepdown_capture_withheld 1.0" in ask("GET", "/metrics").body


def test_off_it_takes_nothing_out(start, world, complete, body):
    start(redact=())
    complete(body(written("openai")))
    assert CREDENTIALS["openai"] in world.lines()[0]["request"]["messages"][1]["content"]


@pytest.mark.parametrize("half", [0.0, 0.5, 0.99])
def test_p2_half_a_line_is_not_kept_either(start, world, complete, body, monkeypatch, half):
    monkeypatch.setattr(Redactor, "clean", lambda self, line: line[: int(len(line) * half)])
    start()
    for stream in (False, True):
        reply = complete(body("hm", stream=stream))
        assert reply.status == 200
        assert b"from" in reply.body
    for line in world.lines():
        assert (line["request"], line["response"]) == (None, None)
        assert "redaction failed" in line["error"]["message"]


def test_p2_what_the_redactor_takes_long_for_is_kept_redacted_or_not_at_all(
    start, world, complete, body, monkeypatch
):
    real = Redactor.clean

    def late(self, line):
        time.sleep(0.5)
        return real(self, line)

    monkeypatch.setattr(Redactor, "clean", late)
    start()
    assert complete(body(written("openai"))).status == 200
    assert CREDENTIALS["openai"] not in json.dumps(world.lines())


def test_a_student_is_asked_what_it_has_learnt_from(start, world, complete, body):
    secret = CREDENTIALS["openai"]
    world.student.known["my [redacted key]"] = ("key", 0.99)
    world.student.known[f"my {secret}"] = ("raw", 0.99)
    start()
    reply = complete(body(f"my {secret}"))
    assert reply.json()["choices"][0]["message"]["content"] == "key"
    assert reply.decision() == ("answered", "confident")
    (line,) = world.lines()
    assert line["request"]["messages"][1]["content"] == "my [redacted key]"
    assert line["response"]["choices"][0]["message"]["content"] == "key"


def test_what_the_redacted_request_is_not_sure_of_goes_upstream(start, world, complete, body):
    secret = CREDENTIALS["openai"]
    world.student.known[f"my {secret}"] = ("raw", 0.99)
    start()
    reply = complete(body(f"my {secret}", stream=True))
    assert reply.decision() == ("escalated", "novel")
    assert b"from" in reply.body
    assert len(world.lines()) == 1
    # The upstream gets the caller's own words.
    assert secret in json.dumps(world.upstream.seen[-1][3].decode())


def test_nobody_is_told_a_placeholder(start, world, complete, body):
    secret = CREDENTIALS["openai"]
    world.student.known["my [redacted key]"] = ("it is [redacted key]", 0.99)
    world.student.known[f"my {secret}"] = (f"it is {secret}", 0.99)
    start()
    reply = complete(body(f"my {secret}"))
    assert reply.decision() == ("escalated", "low_confidence")
    assert b"redacted" not in reply.body


def test_a_task_whose_prompt_was_redacted_is_recognised(start, world, complete, body, ask):
    secret = CREDENTIALS["openai"]
    world.tasks = [world.make_task("intents", body(system="Use [redacted key]."))]
    start()
    reply = complete(body("hello", system=f"Use {secret}."))
    assert reply.decision() == ("answered", "confident")
    told = ask("POST", "/v1/route", body("hello", system=f"Use {secret}.")).json()
    assert (told["decision"], told["task_name"]) == ("answered", "intents")


def test_a_student_of_other_text_does_not_answer(start, world, complete, body):
    start(redact=("credentials", "emails"))
    reply = complete(body("hello"))
    assert reply.decision() == ("escalated", "contract")
    assert world.student.asked == 0


def test_where_redaction_fails_the_answer_is_what_it_was(start, world, complete, body, monkeypatch):
    def broken(self, line):
        raise RecursionError

    start()
    monkeypatch.setattr(Redactor, "clean", broken)
    reply = complete(body("hello"))
    assert reply.json()["choices"][0]["message"]["content"] == "greet"
    (line,) = world.lines()
    assert line["request"] is None
