"""The model behind a student: asked below the gate, and trusted as far as it is certified."""

import json
import math
from contextlib import closing

import openai
import pytest
from aiohttp import web
from tests.serve.conftest import FakeUpstream

from stepdown.serve.settings import Endpoint
from stepdown.wire.asking import inquiry_of


@pytest.fixture
def mid():
    with closing(FakeUpstream()) as made:
        made.words = ["greet"]
        yield made
        made.release.set()


@pytest.fixture
def backed(world, mid, start):
    """A gateway whose student answers down to 0.8, and a model behind it from there on."""
    world.gate, world.threshold = 0.8, 0.5
    world.behind = inquiry_of(world.tasks[0], "cheap-1", "chat")

    def go(**settings):
        return start(mid=Endpoint(mid.url, "sk-mid"), **settings)

    return go


def text(reply):
    return reply.json()["choices"][0]["message"]["content"]


def sure_of(mid, probability):
    said = mid.completion("cheap-1")
    token = {"token": "greet", "logprob": math.log(probability)}
    said["choices"][0]["logprobs"] = {"content": [token]}
    mid.completion = lambda model: said


def test_it_answers_what_the_student_leaves(backed, world, mid, complete, body):
    backed()
    reply = complete(body("hm"), {"authorization": "Bearer sk-caller"})
    assert (reply.status, text(reply), reply.json()["model"]) == (200, "greet", "gpt-4o")
    assert reply.json()["usage"]["prompt_tokens"] == 5
    said = {k: v for k, v in reply.headers.items() if k.startswith("x-stepdown-")}
    said.pop("x-stepdown-request-id")
    assert said == {
        "x-stepdown-tier": "mid",
        "x-stepdown-decision": "escalated",
        "x-stepdown-reason": "low_confidence",
        "x-stepdown-task": "intents",
        "x-stepdown-model": "cheap-1",
        "x-stepdown-confidence": "0.400000",
        "x-stepdown-student": "student-1",
    }
    ((_, path, headers, asked),) = mid.seen
    assert path == "/v1/chat/completions"
    assert json.loads(asked)["model"] == "cheap-1"
    assert headers["Authorization"] == "Bearer sk-mid"
    assert "sk-caller" not in str(headers)
    assert world.upstream.seen == []
    (line,) = world.lines()
    assert (line["stepdown"]["tier"], line["stepdown"]["model"]) == ("mid", "cheap-1")
    assert line["stepdown"]["student_answer"]["text"] == "greet"


def test_the_student_answers_what_it_is_sure_of(backed, mid, complete, body):
    backed()
    assert complete(body()).headers["x-stepdown-tier"] == "small"
    assert mid.seen == []


def test_what_is_novel_goes_to_the_frontier(backed, mid, complete, body):
    backed()
    reply = complete(body("unheard of"))
    assert (reply.decision(), text(reply)) == (("escalated", "novel"), "from up there")
    assert mid.seen == []


@pytest.mark.parametrize(("probability", "tier"), [(0.9, "mid"), (0.6, "frontier")])
def test_it_is_trusted_as_far_as_the_certificate_goes(
    backed, mid, complete, body, probability, tier
):
    sure_of(mid, probability)
    backed()
    reply = complete(body("hm"))
    assert reply.headers["x-stepdown-tier"] == tier
    assert reply.decision() == ("escalated", "low_confidence")


def test_a_certificate_that_does_not_need_it_never_asks_it(backed, world, mid, complete, body):
    world.threshold = 0.9
    backed()
    assert complete(body("hm")).headers["x-stepdown-tier"] == "frontier"
    assert mid.seen == []


@pytest.mark.parametrize(
    "fault", ["status:500", "status:401", "status:429", "html", "redirect", "blackhole", "bomb"]
)
def test_r10_whatever_breaks_behind_the_frontier_answers(backed, mid, complete, body, fault):
    mid.fault = fault
    backed()
    reply = complete(body("hm"))
    assert (reply.status, text(reply)) == (200, "from up there")
    assert reply.headers["x-stepdown-tier"] == "frontier"


def test_an_answer_of_no_use_goes_to_the_frontier(backed, mid, complete, body):
    mid.words = []
    backed()
    assert text(complete(body("hm"))) == "from up there"


def test_a_model_that_tells_no_probabilities_is_asked_without(backed, mid, complete, body):
    async def picky(request, body, argument):
        if "logprobs" in json.loads(body):
            return web.json_response({"error": {"message": "no logprobs"}}, status=400)
        return await mid._answer(request, body)

    mid._picky = picky
    mid.fault = "picky"
    backed()
    assert complete(body("hm")).headers["x-stepdown-tier"] == "mid"
    assert len(mid.seen) == 2


def test_it_is_streamed_as_any_answer_is(backed, world, body):
    url = backed()
    with openai.OpenAI(base_url=url, api_key="k", max_retries=0) as client:
        parts = list(client.chat.completions.create(**body("hm"), stream=True))
    assert "".join(part.choices[0].delta.content or "" for part in parts) == "greet"
    assert parts[-1].choices[0].finish_reason == "stop"


def test_route_says_where_it_would_go(backed, ask, mid, body):
    backed()
    shown = ask("POST", "/v1/route", body("hm")).json()
    assert (shown["tier"], shown["threshold"]) == ("mid", 0.8)
    assert mid.seen == []


def test_its_answers_are_audited_too(backed, world, complete, body, wait):
    backed(audit_share=1.0)
    complete(body("hm"))
    wait(lambda: len(world.lines()) == 2)
    first, audit = world.lines()
    assert audit["stepdown"]["audit_of"] == first["id"]
    assert audit["stepdown"]["student_answer"]["text"] == "greet"


def test_a_caller_who_leaves_is_noted(backed, world, mid, raw, body, wait):
    mid.fault = "blackhole"
    url = backed()
    data = json.dumps(body("hm")).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(data)}\r\n\r\n"
    with pytest.raises(TimeoutError):
        raw(head.encode() + data, timeout=0.3, url=url)
    wait(lambda: len(world.lines()) == 1)
    assert world.lines()[0]["error"]["status"] == 499
    assert world.upstream.seen == []


def test_s6_it_is_asked_what_is_on_a_list(backed, mid, complete, body):
    backed()
    # What a log held of other fields may be asked for again; it goes no further than upstream.
    unknown = {"metadata": {"api_base": "http://127.0.0.1:9"}, "store": False}
    sent = {"x-upstream-base-url": "http://127.0.0.1:9", "user-agent": "probe/1"}
    assert complete(body("hm", temperature=0, seed=7, **unknown), sent).status == 200
    ((_, path, headers, asked),) = mid.seen
    assert path == "/v1/chat/completions"
    assert json.loads(asked) == body("hm", temperature=0, seed=7) | {
        "model": "cheap-1",
        "logprobs": True,
    }
    assert {name.lower(): value for name, value in headers.items()} == {
        "host": mid.url.removeprefix("http://"),
        "content-type": "application/json",
        "accept-encoding": "identity",
        "authorization": "Bearer sk-mid",
        "content-length": str(len(asked)),
        **{k.lower(): v for k, v in headers.items() if k.lower() in ("accept", "user-agent")},
    }


def test_c13_an_answer_that_was_paid_for_and_not_given_is_noted(backed, world, mid, complete, body):
    sure_of(mid, 0.6)
    backed()
    complete(body("hm"))
    mid.fault = "html"
    complete(body("hm"))
    mid.fault = "status:500"
    complete(body("hm"))
    beside = [line["stepdown"].get("beside") for line in world.lines()]
    ((first,), (second,), refused) = beside
    assert (first["tier"], first["model"]) == ("mid", "cheap-1")
    assert first["usage"]["prompt_tokens"] == 5
    assert second["usage"] is None
    assert refused is None


def test_tokens_that_the_model_behind_does_not_tell_are_marked_as_estimates(
    backed, world, mid, complete, body
):
    said = mid.completion("cheap-1")
    del said["usage"]
    mid.completion = lambda model: said
    backed()
    complete(body("hm"))
    assert world.lines()[0]["stepdown"]["estimated"] is True


@pytest.mark.parametrize(
    ("model", "tier"), [(None, "mid"), ("cheap-1", "mid"), ("other", "frontier")]
)
def test_a_fall_back_of_the_same_model_is_asked_and_no_other(
    world, mid, start, complete, body, model, tier
):
    world.gate, world.threshold = 0.8, 0.5
    world.behind = inquiry_of(world.tasks[0], "cheap-1", "chat")
    down = "http://127.0.0.1:9"
    start(mid=Endpoint(down, None, "cheap-1", fallbacks=(Endpoint(mid.url, None, model),)))
    assert complete(body("hm")).headers["x-stepdown-tier"] == tier
    assert len(mid.seen) == (1 if tier == "mid" else 0)
