"""Asking another model: what is sent, and what its answers, odd ones too, are read as."""

import json
import math

import msgspec
import pytest

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.calls import Message, Request, Tool, Toolset, Usage
from stepdown.core.tasks import Signature, Task, Verdict
from stepdown.errors import InputError, Refusal
from stepdown.wire.asking import asked, inquiry_of, said, taught

REQUEST = Request("gpt-big", (Message("system", "Judge."), Message("user", "I love it")))


def task(shape, *fields, style=None):
    anatomy = Anatomy(shape, fields, 10, 1.0, 1.0, style=style or {})
    return Task("t", "mood", Signature(), anatomy, Verdict("distil"))


MOOD = task("text", Field("", "choice", values=("good", "bad")))
BOTH = task(
    "json",
    Field("/mood", "choice", values=("good", "bad")),
    Field("/sure", "choice", values=(True, False)),
    style={"separators": (",", ":")},
)


def completion(text, *logprobs):
    tokens = [{"token": "x", "logprob": one} for one in logprobs]
    choice = {"message": {"content": text}, "logprobs": {"content": tokens} if tokens else None}
    usage = {"prompt_tokens": 7, "completion_tokens": 1}
    return json.dumps({"choices": [choice], "usage": usage}).encode()


def test_a_chat_model_is_asked_what_was_asked():
    inquiry = inquiry_of(MOOD, "cheap", "chat")
    body = json.loads(asked(inquiry, REQUEST))
    assert (body["model"], body["logprobs"]) == ("cheap", True)
    assert [one["content"] for one in body["messages"]] == ["Judge.", "I love it"]
    assert "logprobs" not in json.loads(asked(inquiry, REQUEST, logprobs=False))
    assert inquiry.path == "/chat/completions"


def test_its_probability_is_its_confidence_and_else_it_is_sure():
    inquiry = inquiry_of(MOOD, "cheap", "chat")
    found, usage = said(inquiry, completion("good", math.log(0.9), math.log(0.5)))
    assert found.record == {"": "good"}
    assert found.confidence == pytest.approx(0.45)
    assert usage.input_tokens == 7
    assert said(inquiry, completion("good"))[0].confidence == 1.0


def test_an_answer_of_another_shape_is_an_abstention():
    found, usage = said(inquiry_of(BOTH, "cheap", "chat"), completion("no JSON"))
    assert found.answer is None
    assert usage is not None
    with pytest.raises(InputError):
        said(inquiry_of(BOTH, "cheap", "chat"), b"<html>")


def test_a_decisions_endpoint_answers_in_the_teachers_hand():
    inquiry = inquiry_of(BOTH, "judge", "decisions")
    sent = json.loads(asked(inquiry, REQUEST))
    assert [one["name"] for one in sent["questions"]] == ["/mood", "/sure"]
    assert inquiry.path == "/decisions"
    answers = [
        {
            "type": "choice",
            "name": name,
            "choice": value,
            "probabilities": [{"value": value, "probability": 0.8}],
        }
        for name, value in (("/mood", "good"), ("/sure", True))
    ]
    found, _ = said(inquiry, json.dumps({"answers": answers}).encode())
    assert found.answer.text == '{"mood":"good","sure":true}'
    assert found.confidence == pytest.approx(0.64)
    refused = json.dumps({"answers": [answers[0], {"type": "refusal", "name": "/sure"}]})
    assert "/sure" in said(inquiry, refused.encode())[0].abstained


def test_open_fields_are_nothing_for_a_decisions_endpoint():
    with pytest.raises(Refusal, match="no such choice"):
        inquiry_of(task("text", Field("", "copy")), "judge", "decisions")


def test_a_teacher_is_asked_what_was_logged_within_a_limit():
    body, most = taught(REQUEST, "big", 100, "max_tokens")
    assert json.loads(body) == {
        "model": "big",
        "messages": [
            {"role": "system", "content": "Judge."},
            {"role": "user", "content": "I love it"},
        ],
        "max_tokens": 100,
    }
    assert most == Usage(len(body) + 32, 100, 0, len(body) + 32)


def test_the_limit_of_the_logged_call_stands_under_the_name_that_is_known():
    params = {"max_tokens": 7, "n": 3, "temperature": 0.2, "stream_options": {}}
    request = msgspec.structs.replace(REQUEST, params=params)
    body, most = taught(request, "big", 100, "max_completion_tokens")
    sent = json.loads(body)
    assert (sent["max_completion_tokens"], sent["temperature"]) == (7, 0.2)
    assert {"max_tokens", "n", "stream_options"}.isdisjoint(sent)
    assert most.output_tokens == 7


def test_what_stands_around_tools_is_allowed_for():
    tools = Toolset((Tool("f"),), "h")
    body, most = taught(msgspec.structs.replace(REQUEST, tools=tools), "big", 1, "max_tokens")
    assert most.input_tokens > len(body) + 1000
