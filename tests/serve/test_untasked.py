"""Calls of no known task end to end: the tier that a score says, or the next that can."""

import json
from contextlib import closing

import pytest
from tests.serve.conftest import FakeUpstream, endpoint_of, scored, untasked

from stepdown.core.tiering import Thresholds
from stepdown.serve.settings import Endpoint, Routing


def told(reply):
    return reply.headers["x-stepdown-tier"], reply.headers["x-stepdown-model"]


@pytest.mark.parametrize(
    ("word", "tier", "model"),
    [
        ("easy", "small", "small-1-2026"),
        ("middling", "mid", "mid-1-2026"),
        ("hard", "frontier", "gpt-4o-2026"),
        ("unscored", "frontier", "gpt-4o-2026"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_score_has_its_tier(routed, world, complete, word, tier, model, stream):
    routed()
    reply = complete(untasked(word, stream=stream), {"authorization": "Bearer sk-caller"})
    assert (reply.status, reply.decision()) == (200, ("relayed", "no_route"))
    assert reply.headers["x-stepdown-tier"] == tier
    assert stream or told(reply) == (tier, model)
    (line,) = world.lines()
    assert line["stepdown"]["tier"] == tier
    assert line["request"]["model"] == "gpt-4o"


def test_a_cheaper_model_gets_its_name_its_key_and_the_rest_as_it_was(routed, tiers, complete):
    routed()
    complete(untasked("middling", seed=7, user="u"), {"authorization": "Bearer sk-caller"})
    ((_, path, headers, asked),) = tiers[1].seen
    assert path == "/v1/chat/completions"
    assert json.loads(asked) == {**untasked("middling", seed=7, user="u"), "model": "mid-1"}
    assert headers["Authorization"] == "Bearer sk-mid"
    assert "sk-caller" not in str(headers)


def test_off_everything_goes_to_the_frontier(routed, tiers, complete):
    routed(routing=Routing())
    assert complete(untasked("easy")).headers["x-stepdown-tier"] == "frontier"
    assert tiers[0].seen + tiers[1].seen == []


def test_a_task_that_is_known_is_not_routed_by_score(routed, complete, body):
    routed()
    assert complete(body()).decision() == ("answered", "confident")
    assert complete(body("hm")).headers["x-stepdown-tier"] == "frontier"
    assert complete(untasked("easy"), {"x-stepdown-bypass": "true"}).decision()[0] == "bypassed"


@pytest.mark.parametrize("fault", ["status:500", "status:400", "status:429", "blackhole", "cut:0"])
def test_r8_a_tier_that_is_down_leaves_it_to_the_next_higher(routed, tiers, complete, fault):
    tiers[0].fault = fault
    routed(small=endpoint_of(tiers[0], "small", answer=0.3, first_byte=0.3))
    stream = fault == "cut:0"
    assert complete(untasked("easy", stream=stream)).headers["x-stepdown-tier"] == "mid"
    tiers[1].fault = "status:503"
    assert complete(untasked("middling")).headers["x-stepdown-tier"] == "frontier"


def test_a_tier_that_is_not_there_is_the_next_higher(routed, complete):
    routed(small=None)
    assert complete(untasked("easy")).headers["x-stepdown-tier"] == "mid"


def test_the_chain_of_a_tier_comes_before_the_next_tier(routed, tiers, complete):
    small, mid = tiers
    mid.fault = "status:500"
    fallback = Endpoint(small.url)
    routed(small=None, mid=endpoint_of(mid, "mid", fallbacks=(fallback,)))
    assert told(complete(untasked("middling"))) == ("mid", "mid-1-2026")
    ((_, _, headers, asked),) = small.seen
    assert json.loads(asked)["model"] == "mid-1"
    assert "Authorization" not in headers


def test_auto_needs_no_model_of_the_frontiers_where_a_cheaper_one_answers(routed, tiers, complete):
    routed()
    assert complete(untasked("middling", model="auto")).headers["x-stepdown-tier"] == "mid"
    assert complete(untasked("hard", model="auto")).status == 400


WANTS_MORE = [
    {"n": 2},
    {"logprobs": True},
    {"reasoning_effort": "high"},
    {"store": True},
    {"functions": []},
    {"tools": [{"type": "web_search"}]},
]


@pytest.mark.parametrize("more", WANTS_MORE, ids=lambda more: next(iter(more)))
def test_what_cheaper_models_may_not_honour_stays_at_the_frontier(routed, complete, more):
    routed()
    assert complete(untasked("easy", **more)).headers["x-stepdown-tier"] == "frontier"


TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


@pytest.mark.parametrize(("tools", "tier"), [(True, "mid"), (False, "frontier")])
def test_tools_go_where_they_are_understood(routed, tiers, complete, tools, tier):
    routed(small=None, mid=endpoint_of(tiers[1], "mid", tools=tools))
    reply = complete(untasked("middling", tools=TOOLS))
    assert reply.headers["x-stepdown-tier"] == tier


def test_a_conversation_stays_where_it_began_and_only_goes_up(routed, complete):
    routed()
    said = [{"role": "user", "content": "middling"}]

    def turn(text=None, **headers):
        if text is not None:
            said.extend(({"role": "assistant", "content": "?"}, {"role": "user", "content": text}))
        reply = complete({"model": "gpt-4o", "messages": said}, headers)
        return reply.headers["x-stepdown-tier"]

    assert turn() == "mid"
    assert turn("easy") == "mid"
    assert turn("hard") == "frontier"
    assert turn("easy") == "frontier"
    assert turn("easy", authorization="Bearer sk-another") == "small"
    assert complete(untasked("easy")).headers["x-stepdown-tier"] == "small"


def test_a_session_is_a_conversation(routed, complete):
    routed()
    named = {"x-stepdown-session": "s1"}
    assert complete(untasked("hard"), named).headers["x-stepdown-tier"] == "frontier"
    assert complete(untasked("easy"), named).headers["x-stepdown-tier"] == "frontier"
    assert complete(untasked("easy")).headers["x-stepdown-tier"] == "small"


def test_a_conversation_that_had_to_go_up_stays_up(routed, tiers, complete):
    routed()
    tiers[1].fault = "status:500"
    named = {"x-stepdown-session": "s1"}
    assert complete(untasked("middling"), named).headers["x-stepdown-tier"] == "frontier"
    tiers[1].fault = ""
    assert complete(untasked("middling"), named).headers["x-stepdown-tier"] == "frontier"


def test_route_tells_the_tier_and_its_score(routed, tiers, ask):
    routed(routing=Routing(scored, Thresholds(0.4, 0.45)))
    shown = ask("POST", "/v1/route", untasked("middling")).json()
    assert (shown["tier"], shown["task_type"], shown["complexity"]) == ("frontier", "prose", 0.5)
    assert ask("POST", "/v1/route", untasked("easy")).json()["tier"] == "small"
    assert tiers[0].seen == []


@pytest.mark.parametrize(
    ("word", "answered", "asked"), [("middling", "mid", "frontier"), ("hard", "frontier", "mid")]
)
def test_some_are_asked_of_another_tier_for_comparison(
    routed, world, complete, wait, word, answered, asked
):
    routed(routing=Routing(scored, compare_share=1.0))
    reply = complete(untasked(word))
    assert reply.headers["x-stepdown-tier"] == answered
    wait(lambda: len(world.lines()) == 2)
    first, other = (line["stepdown"] for line in world.lines())
    assert (first["tier"], other["tier"]) == (answered, asked)
    assert other["audit_of"] == reply.headers["x-stepdown-request-id"]
    assert (other["decision"], other["reason"]) == ("relayed", "shadow")


def test_comparisons_need_no_score_and_can_be_off(routed, world, tiers, complete, wait):
    routed(routing=Routing(compare_share=1.0))
    complete(untasked("middling"))
    wait(lambda: len(world.lines()) == 2)
    complete(untasked("middling", n=2))
    assert len(tiers[1].seen) == 1
    world.stop()
    routed(routing=Routing())
    complete(untasked("middling"))
    assert len(tiers[1].seen) == 1


def test_s4_no_comparison_takes_a_callers_key_to_another_address(
    routed, world, tiers, ask, complete, wait
):
    with closing(FakeUpstream()) as anthropic:
        routed(messages=Endpoint(anthropic.url), routing=Routing(scored, compare_share=1.0))
        asked = {**untasked("middling"), "max_tokens": 9}
        key = {"x-api-key": "sk-ant-mine", "anthropic-version": "2023-06-01"}
        reply = ask("POST", "/v1/messages", asked, key)
        assert (reply.status, reply.headers["x-stepdown-tier"]) == (200, "mid")
        # What is asked beside is asked in order, so that the second would come after the first.
        complete(untasked("middling"), {"authorization": "Bearer sk-mine"})
        wait(lambda: "sk-mine" in str(world.upstream.seen))
        assert "sk-ant-mine" not in str(world.upstream.seen)
