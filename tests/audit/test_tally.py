import json
import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.audit.tally import Latencies, Params, Tally
from stepdown.core.calls import (
    Answer,
    Call,
    Message,
    OutputFormat,
    Request,
    Tool,
    ToolCall,
    Toolset,
    Usage,
)


def call(number, said="hello", answer="hi", **more):
    request = Request("gpt-4o", (Message("user", said),), params={"temperature": number / 10})
    known = {
        "model": "gpt-4o",
        "usage": Usage(100, 10),
        "time": 1000.0 + number,
        "latency_ms": 100.0 + number,
    }
    return Call(str(number), request, Answer(answer), **{**known, **more})


def tally_of(calls):
    tally = Tally(calls[0])
    for one in calls:
        tally.add(one)
    return tally


def facts(tally):
    return (
        tally.calls,
        tally.models,
        tally.unpriced,
        tally.cost,
        tally.priced_calls,
        tally.input_tokens,
        tally.output_tokens,
        tally.first_time,
        tally.last_time,
        tally.latencies.quantile(0.5),
        tally.params.summary(),
        tally.repeats.share(),
        tally.repeats.self_agreement(),
        [sampled.texts[2] for sampled in tally.sample.calls()],
    )


@given(st.lists(st.integers(0, 30), min_size=1), st.integers(0, 20), st.randoms())
def test_tallies_merge_and_do_not_depend_on_order(numbers, cut, shuffle):
    calls = [
        call(n, said=f"q{n % 7}", answer=f"a{n % 3}", latency_ms=n - 2.0, model=f"m{n % 2}")
        for n in numbers
    ]
    expected = facts(tally_of(calls))
    shuffle.shuffle(calls)
    first = tally_of(calls[: cut + 1])
    if calls[cut + 1 :]:
        first.merge(tally_of(calls[cut + 1 :]))
    assert facts(first) == expected


def test_money_and_tokens_that_are_unknown_are_in_no_total():
    known, nameless = call(1), call(2, model="mine")
    silent, stated = call(3, usage=None), call(4, usage=None, cost_usd=0.5)
    tally = tally_of([known, nameless, silent, stated])
    assert tally.calls == 4
    assert tally.priced_calls == 2
    assert tally.spend_usd == pytest.approx(0.5 + 100 * 2.5e-6 + 10 * 1e-5, abs=1e-12)
    assert tally.unpriced == {"mine": 1, "gpt-4o": 1}
    assert (tally.input_tokens, tally.counted_calls) == (200, 2)


def test_without_any_price_the_spend_is_unknown_not_zero():
    assert tally_of([call(1, model="mine")]).spend_usd is None


def test_a_student_s_own_answers_are_no_evidence_of_the_teacher():
    tally = tally_of([call(1), call(2, answer="other", tier="small", latency_ms=0.1)])
    assert tally.calls == 2
    assert len(tally.sample) == 1
    assert tally.repeats.self_agreement() == (None, 0)
    assert tally.latencies.quantile(0.0) == 101.0


def test_answers_agree_when_they_differ_in_json_spacing_alone():
    one = call(1, answer='{"a": 1, "b": 2}')
    two = call(2, answer='```json\n{"b":2,"a":1}\n```')
    three = call(3, answer='{"a": 2, "b": 2}')
    assert tally_of([one, two]).repeats.self_agreement() == (1.0, 1)
    assert tally_of([one, three]).repeats.self_agreement() == (0.0, 1)


def test_tool_calls_agree_by_name_and_arguments():
    def calls(name, arguments):
        return Answer(None, (ToolCall(name, arguments),))

    base = call(1)
    answers = [calls("f", '{"x": 1}'), calls("f", '{"x":1}'), calls("g", '{"x":1}')]
    tally = tally_of(
        [Call(str(n), base.request, answer, "gpt-4o") for n, answer in enumerate(answers)]
    )
    assert tally.repeats.self_agreement() == (pytest.approx(1 / 3), 2)


def test_the_sample_is_bounded():
    tally = tally_of([call(n, said=f"question {n}") for n in range(2_000)])
    assert len(tally.sample) == 1_500
    assert tally.calls == 2_000


def test_tools_and_format_as_json():
    tools = Toolset((Tool("f", "does", {"type": "object"}, True),), "h")
    request = Request("m", (), tools=tools, output_format=OutputFormat("json_object", hash="k"))
    tally = Tally(Call("1", request, Answer("x"), "m"))
    [tool] = json.loads(tally.tools_json)
    assert (tool["name"], tool["description"], tool["strict"]) == ("f", "does", True)
    assert tool["parameters"] == {"type": "object"}
    assert json.loads(tally.output_format_json)["kind"] == "json_object"
    plain = Tally(call(1))
    assert (plain.tools_json, plain.output_format_json) == ("[]", "null")


@given(st.lists(st.floats(0.001, 1e9), min_size=1), st.floats(0, 1))
def test_quantiles_are_exact_to_half_a_percent(values, share):
    latencies = Latencies()
    for value in values:
        latencies.add(value)
    exact = sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
    assert latencies.quantile(share) == pytest.approx(exact, rel=0.006)


@pytest.mark.parametrize("value", [None, 0.0, -5.0, math.inf, math.nan])
def test_impossible_latencies_are_unknown(value):
    latencies = Latencies()
    latencies.add(value)
    assert latencies.quantile(0.5) is None


def test_params_keep_values_or_the_largest_number():
    params = Params()
    params.add({"temperature": 0.2, "stop": ["\n"], "user": "a", "seed": None, "store": False})
    params.add({"temperature": 0, "stop": ["\n"], "user": "b", "limit": "none"})
    params.add({"limit": 3})
    assert params.summary() == {
        "limit": ["none", 3],
        "stop": [["\n"]],
        "store": [False],
        "temperature": {"max": 0.2},
        "user": ["a", "b"],
    }


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 30) | st.text(max_size=2))))
def test_params_are_few_and_do_not_depend_on_order(several):
    def summary(order):
        params = Params()
        for one in order:
            params.add(one)
        return params.summary()

    shuffled = list(several)
    random.Random(0).shuffle(shuffled)
    found = summary(several)
    assert found == summary(shuffled)
    assert all(len(values) <= 9 for values in found.values())


def test_a_body_with_endless_fields_is_bounded():
    params = Params()
    params.add({f"field-{n}": n for n in range(1_000)})
    params.add({"field-1": "x" * 5_000})
    assert len(params.summary()) == 64
    assert params.summary()["field-1"] == [1]


def test_tool_choice_is_kept_with_the_params():
    base = call(1)
    request = Request("m", base.request.messages, tool_choice="none")
    tally = tally_of([Call("1", request, Answer("x"), "m")])
    assert tally.params.summary() == {"tool_choice": ["none"]}
    assert tally.models == Counter({"m": 1})
