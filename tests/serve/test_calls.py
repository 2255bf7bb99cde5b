"""Chat completions end to end: who answers, what the caller sees, what goes upstream."""

import asyncio
import base64
import json
from typing import Any

import msgspec
import openai
import pydantic
import pytest

from stepdown.core.calls import Answer, ToolCall
from stepdown.serve import calls as serve_calls
from stepdown.serve.settings import Timeouts

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "book",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]
FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "Label",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"label": {"type": "string"}},
            "required": ["label"],
            "additionalProperties": False,
        },
    },
}


def text(reply):
    return reply.json()["choices"][0]["message"]["content"]


def test_a_sure_student_answers_and_says_so(start, world, complete, body):
    start()
    reply = complete(body(), {"authorization": "Bearer sk-caller"})
    assert (reply.status, text(reply), reply.json()["model"]) == (200, "greet", "gpt-4o")
    said = {k: v for k, v in reply.headers.items() if k.startswith("x-stepdown-")}
    assert said.pop("x-stepdown-request-id") in reply.json()["id"]
    assert said == {
        "x-stepdown-tier": "small",
        "x-stepdown-decision": "answered",
        "x-stepdown-reason": "confident",
        "x-stepdown-task": "intents",
        "x-stepdown-model": "stepdown/intents",
        "x-stepdown-confidence": "0.990000",
        "x-stepdown-student": "student-1",
        "x-stepdown-usage": "estimated",
    }
    assert world.upstream.seen == []


@pytest.mark.parametrize(
    ("user", "reason", "confidence"),
    [("hm", "low_confidence", "0.400000"), ("unheard of", "novel", "0.000000")],
)
def test_an_unsure_student_escalates(start, complete, body, user, reason, confidence):
    start()
    reply = complete(body(user))
    assert reply.decision() == ("escalated", reason)
    assert reply.headers["x-stepdown-tier"] == "frontier"
    assert reply.headers["x-stepdown-confidence"] == confidence
    assert (reply.headers["x-stepdown-model"], text(reply)) == ("gpt-4o-2026", "from up there")


def test_a_relayed_body_is_unchanged_to_the_byte(start, world, complete):
    start()
    message = b'{"role":"user","content":"\\u00fc \xc3\xbc"}'
    odd = b'{ "model":"gpt-4o",\n "messages" : [%b] , "x": 1.0e0 }' % message
    reply = complete(odd, {"authorization": "Bearer sk-caller", "x-stainless-lang": "python"})
    assert reply.decision() == ("relayed", "no_route")
    method, path, headers, sent = world.upstream.seen[0]
    assert (method, path, sent) == ("POST", "/v1/chat/completions", odd)
    assert headers["Authorization"] == "Bearer sk-caller"
    assert headers["x-stainless-lang"] == "python"
    assert reply.body == json.dumps(world.upstream.completion("gpt-4o")).encode()
    assert reply.headers["x-request-id"] == "up-1"


def test_a_configured_key_goes_upstream_instead_of_the_callers(start, world, complete, body):
    start(api_key="sk-ours")
    complete(body("hm"), {"authorization": "Bearer sk-caller", "x-api-key": "sk-caller"})
    sent = str(world.upstream.seen[0][2])
    assert "sk-ours" in sent
    assert "sk-caller" not in sent


@pytest.mark.parametrize(
    ("field", "value"), [("metadata", 5), ("stream", "yes"), ("model", 7), ("tools", "x")]
)
def test_a_field_of_a_wrong_type_is_named(start, complete, body, field, value):
    start()
    error = complete(body(**{field: value})).json()["error"]
    assert error["param"] == field
    assert f"in `{field}`, Expected" in error["message"]


@pytest.mark.parametrize("half", ["\\ud800", "\\ud800 and more", "\\udc00"])
def test_half_a_character_is_told(start, ask, body, half):
    start()
    sent = json.dumps(body("HALF")).replace("HALF", half).encode()
    error = ask("POST", "/v1/chat/completions", sent).json()["error"]
    assert "half a character" in error["message"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions"])
def test_the_path_with_and_without_v1(start, world, complete, body, path):
    start()
    assert complete(body(), path=path).decision() == ("answered", "confident")
    assert complete(body("hm"), path=path).status == 200
    assert world.upstream.seen[0][1] == "/v1/chat/completions"


def test_the_caller_can_go_around_the_student(start, complete, body):
    start()
    reply = complete(body(), {"x-stepdown-bypass": "true"})
    assert reply.decision() == ("bypassed", "forced")
    assert text(reply) == "from up there"


def test_naming_the_task(start, complete, body):
    start()
    answered = ("answered", "confident")
    for headers, more, decision in (
        ({"x-stepdown-task": "intents"}, {}, answered),
        ({}, {"metadata": {"stepdown_task": "intents"}}, answered),
        ({}, {"model": "stepdown/intents"}, answered),
        ({}, {"model": "auto"}, answered),
        ({"x-stepdown-task": "unknown"}, {}, ("relayed", "no_route")),
        ({"x-stepdown-task": "intents"}, {"system": "other"}, ("escalated", "contract")),
    ):
        assert complete(body(**more), headers).decision() == decision, (headers, more)


@pytest.mark.parametrize("model", ["auto", "stepdown/intents"])
@pytest.mark.parametrize(
    ("settings", "real"), [({}, "gpt-taught"), ({"frontier_model": "gpt-best"}, "gpt-best")]
)
def test_upstream_gets_a_real_model(start, world, complete, body, model, settings, real):
    start(**settings)
    asked = body("hm", model=model, seed=7)
    reply = complete(asked)
    assert reply.status == 200
    assert json.loads(world.upstream.seen[0][3]) == {**asked, "model": real}


def test_a_model_of_ours_that_is_none(start, complete, body):
    start()
    reply = complete(body(model="stepdown/nothing"))
    assert reply.status == 404
    assert reply.json()["error"]["code"] == "model_not_found"
    assert complete(body(system="no task", model="auto")).status == 400


def test_c4_what_the_student_cannot_honour_goes_upstream(start, complete, body):
    start()
    for more in ({"n": 2}, {"logprobs": True}, {"stop": "x"}, {"max_tokens": 1}, {"new": 1}):
        assert complete(body(**more)).decision() == ("escalated", "unsupported_param"), more


def test_c4_parts_that_are_not_text_and_old_functions(start, complete, body):
    start()
    image = [
        {"type": "image_url", "image_url": {"url": "data:,"}},
        {"type": "text", "text": "hello"},
    ]
    assert complete(body(image)).decision() == ("escalated", "unsupported_param")
    parts = [{"type": "text", "text": "hello"}]
    assert complete(body(parts)).decision() == ("answered", "confident")
    old = body(functions=[{"name": "f", "parameters": {}}])
    assert complete(old).decision()[0] == "escalated"
    assert complete(body(function_call="none")).decision()[0] == "escalated"


def test_c3_another_schema_escalates_as_contract(start, complete, body):
    start()
    for more in ({"tools": TOOLS}, {"response_format": FORMAT}):
        assert complete(body(**more)).decision() == ("escalated", "contract")


def test_modes_of_a_route(start, world, complete, body):
    world.mode = "shadow"
    start()
    reply = complete(body())
    assert reply.decision() == ("relayed", "shadow")
    assert text(reply) == "from up there"
    assert world.student.asked == 1
    shadow = world.lines()[0]["stepdown"]
    assert (shadow["student_answer"]["text"], shadow["confidence"]) == ("greet", 0.99)


def test_mode_off(start, world, complete, body):
    world.mode = "off"
    start()
    assert complete(body()).decision() == ("relayed", "no_route")
    assert world.student.asked == 0


def test_c11_a_canary_takes_its_share_and_is_sticky(start, world, complete, body):
    world.mode, world.share = "canary", 0.5
    start()
    seen = {f"u{i}": complete(body()) for i in range(40)}
    kinds = [reply.decision() for reply in seen.values()]
    assert set(kinds) == {("answered", "confident"), ("relayed", "canary_off")}
    for user in ("a", "b", "c", "d"):
        again = {complete(body(), {"x-stepdown-session": user}).decision() for _ in range(4)}
        assert len(again) == 1


def test_a_student_that_could_not_be_loaded(start, world, complete, body):
    full = world.loaded()
    world.loaded = lambda: msgspec.structs.replace(full, routes={}, problems={"id-intents": "why"})
    start()
    assert complete(body()).decision() == ("escalated", "student_error")


def raises(given):
    raise RuntimeError("secret details")


@pytest.mark.parametrize("stream", [False, True])
def test_r10_a_student_that_raises_is_an_escalation(start, world, complete, body, stream):
    start()
    world.student.behave = raises
    for _ in range(5):
        reply = complete(body(stream=stream))
        assert (reply.status, reply.decision()) == (200, ("escalated", "student_error"))
    assert world.student.asked == 3  # then it is switched off


def test_r10_and_without_an_upstream_a_503(start, world, complete, body):
    start(base_url=None)
    assert complete(body()).status == 200
    world.student.behave = raises
    reply = complete(body())
    assert reply.status == 503
    assert "--upstream" in reply.json()["error"]["message"]
    assert reply.json()["error"]["type"] == "stepdown_error"
    assert reply.headers["x-should-retry"] == "false"


def test_the_official_client_sync(start, world, body):
    to_paris: Any = body("Paris please", system="Book.", tools=TOOLS)
    world.tasks.append(world.make_task("travel", to_paris))
    call = ToolCall("book", '{"city":"Paris"}')
    world.student.known["Paris please"] = (Answer(None, (call,)), 0.9)
    url = start()
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client:
        plain = client.chat.completions.create(**body())
        assert plain.choices[0].message.content == "greet"
        assert plain.usage is not None
        assert plain.usage.total_tokens > 1
        assert plain._request_id
        streamed = list(client.chat.completions.create(**body(), stream=True))
        assert "".join(c.choices[0].delta.content or "" for c in streamed) == "greet"
        options: Any = {"include_usage": True}
        counted = list(
            client.chat.completions.create(**body(), stream=True, stream_options=options)
        )
        assert counted[-1].usage is not None
        called = client.chat.completions.create(**to_paris)
        assert called.choices[0].finish_reason == "tool_calls"
        assert called.choices[0].message.tool_calls[0].function.name == "book"
        with client.chat.completions.stream(**to_paris) as events:
            final = events.get_final_completion()
        assert final.choices[0].message.tool_calls[0].function.arguments == '{"city":"Paris"}'
        raw = client.chat.completions.with_raw_response.create(**body("hm"))
        assert raw.headers["x-stepdown-decision"] == "escalated"


class Label(pydantic.BaseModel):
    label: str


def test_the_official_client_parses_structured_answers(start, world, body):
    with openai.OpenAI(base_url=world.upstream.url, api_key="k") as probe:
        world.upstream.words = ['{"label":', '"up"}']
        probe.chat.completions.parse(**body(), response_format=Label)
    sent = json.loads(world.upstream.seen.pop()[3])
    world.tasks = [world.make_task("labels", sent)]
    world.student.known["hello"] = (Answer('{"label": "greet"}'), 0.9)
    url = start()
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k") as client:
        done = client.chat.completions.parse(**body(), response_format=Label)
        assert done.choices[0].message.parsed == Label(label="greet")
        up = client.chat.completions.parse(**body("hm?"), response_format=Label)
        assert up.choices[0].message.parsed == Label(label="up")


def test_r10_an_answer_of_another_shape_goes_upstream(start, world, complete, body):
    world.tasks = [world.make_task("labels", body(response_format=FORMAT))]
    world.student.known["hello"] = (Answer('{"wrong": "greet"}'), 0.9)
    start()
    reply = complete(body(response_format=FORMAT))
    assert reply.decision() == ("escalated", "student_error")


def test_the_official_client_async(start, body):
    url = start()

    async def go():
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k") as client:
            plain = await client.chat.completions.create(**body())
            stream = await client.chat.completions.create(**body("hm"), stream=True)
            return plain, [chunk async for chunk in stream]

    plain, chunks = asyncio.run(go())
    assert plain.choices[0].message.content == "greet"
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "from up there "


DEEP = 10_000
MALFORMED = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"model": "m"}',
    b'{"model": "m", "messages": []}',
    b'{"model": "m", "messages": [{}]}',
    b'{"model": 7, "messages": [{"role": "user", "content": "x"}]}',
    b'{"model": "m", "messages": [{"role": "user", "content": "\xff"}]}',
    b'{"model": "m", "x": NaN, "messages": [{"role": "user", "content": "x"}]}',
    b"[" * DEEP,
    b'{"a":' * DEEP,
    b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "x": %b%b}'
    % (b"[" * DEEP, b"]" * DEEP),
)


def test_s11_a_malformed_body_is_a_400_in_openais_shape(start, complete):
    start()
    for sent in MALFORMED:
        reply = complete(sent)
        assert reply.status == 400, sent[:80]
        assert reply.json()["error"]["type"] == "stepdown_error"
        assert len(reply.json()["error"]["message"]) <= 400
        assert reply.headers["x-stepdown-request-id"]


def test_route_tells_what_would_happen_and_does_nothing(start, world, ask, body):
    start()
    told = ask("POST", "/v1/route", body()).json()
    assert (told["decision"], told["reason"], told["task_name"]) == (
        "answered",
        "confident",
        "intents",
    )
    assert (told["confidence"], told["threshold"], told["student"]) == (0.99, 0.8, "student-1")
    assert ask("POST", "/v1/route", body("hm")).json()["decision"] == "escalated"
    assert ask("POST", "/v1/route", body(system="x")).json()["task"] is None
    assert ask("POST", "/v1/route", b"{").status == 400
    assert ask("POST", "/v1/route", body(model="stepdown/x")).status == 404
    assert world.upstream.seen == []
    assert world.lines() == []


def test_c6_some_answers_are_audited_after_the_caller_was_served(
    start, world, complete, body, wait
):
    start(audit_share=1.0)
    reply = complete(body(stream=True))
    assert reply.decision() == ("answered", "confident")
    wait(lambda: len(world.lines()) == 2)
    answered, audit = (line["stepdown"] for line in world.lines())
    assert answered["tier"] == "small"
    assert (audit["tier"], audit["decision"], audit["reason"]) == ("frontier", "relayed", "shadow")
    assert audit["audit_of"] == reply.headers["x-stepdown-request-id"]
    assert audit["student_answer"]["text"] == "greet"
    assert world.lines()[1]["response"]["choices"][0]["message"]["content"] == "from up there "


def test_c6_an_audit_that_fails_is_nobodys_problem(start, world, complete, body, wait):
    world.upstream.fault = "status:500"
    start(audit_share=1.0, timeouts=Timeouts(answer=0.5))
    assert complete(body()).status == 200
    wait(lambda: len(world.lines()) == 2)
    assert world.lines()[1]["error"]["status"] == 500


def with_file(body, **file):
    fields = body()
    fields["messages"][-1]["content"] = [{"type": "file", "file": file}]
    return fields


def test_a_student_reads_the_file_that_the_teacher_would(start, complete, body):
    start()
    said = body()["messages"][-1]["content"]
    data = base64.b64encode(said.encode()).decode()
    reply = complete(with_file(body, file_data=f"data:text/plain;base64,{data}"))
    assert (reply.decision(), text(reply)) == (("answered", "confident"), "greet")


def test_a_file_that_can_not_be_read_goes_to_the_teacher(start, world, complete, body):
    start()
    reply = complete(with_file(body, file_id="file-1"))
    assert reply.decision() == ("escalated", "unsupported_param")
    assert "file-1" in str(world.upstream.seen[-1])


def test_reading_files_that_takes_too_long_goes_to_the_teacher(start, complete, body, monkeypatch):
    monkeypatch.setattr(serve_calls, "_DOCUMENTS_S", 0.0)
    start()
    data = base64.b64encode(b"hello").decode()
    reply = complete(with_file(body, file_data=f"data:text/plain;base64,{data}"))
    assert reply.decision() == ("escalated", "unsupported_param")
