"""C-3, C-4: a student answers only what it was trained for; everything else is refused by name."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.anatomy import Anatomy
from stepdown.core.calls import Answer, Message, OutputFormat, Request, ToolCall, Toolset
from stepdown.core.contracts import (
    Contract,
    answer_tokens,
    answer_violation,
    contract_of,
    violation,
)
from stepdown.core.tasks import Signature, Task, Verdict

LOGGED = {
    "temperature": [0, 0.2],
    "stop": ["###", ["a", "b"]],
    "verbosity": ["low"],
    "top_k": {"max": 40},
    "n": [1, 4],
    "logprobs": [True],
    "tool_choice": ["none"],
}
CONTRACT = Contract("t", "tools", "format", "data", LOGGED)
PLAIN = Contract("t", "tools", "format", "data")


def request(tool_choice=None, parts=(), **params):
    return Request(
        "gpt",
        (Message("user", "hi", other_parts=parts),),
        Toolset(hash="tools"),
        OutputFormat(hash="format"),
        tool_choice,
        params=params,
    )


def test_contract_of_a_task():
    task = Task(
        "t",
        "name",
        Signature("tools", "format"),
        Anatomy("text", (), 0, 0, 0),
        Verdict("distil"),
        params=LOGGED,
    )
    assert contract_of(task, "data") == CONTRACT
    assert msgspec.json.decode(msgspec.json.encode(CONTRACT), type=Contract) == CONTRACT


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"temperature": 0.2, "top_p": 0.5, "seed": 7, "user": "u", "service_tier": "auto"},
        {"n": 1, "logprobs": False, "store": False, "modalities": ["text"], "top_logprobs": None},
        {"frequency_penalty": -2, "presence_penalty": 2, "parallel_tool_calls": False},
        {"max_tokens": 5, "stream_options": {"include_usage": True}, "reasoning_effort": "low"},
        {"stop": "###", "verbosity": "low", "top_k": 40},
        {"stop": ["a", "b"], "metadata": {"a": "b"}},
    ],
)
def test_honoured_parameters(params):
    assert violation(CONTRACT, request(**params)) is None


@pytest.mark.parametrize(
    "params",
    [
        {"temperature": 0.3},
        {"temperature": "warm"},
        {"temperature": True},
        {"top_p": 1.5},
        {"n": 2},
        {"n": 4},
        {"n": 1.0},
        {"logprobs": True},
        {"top_logprobs": 2},
        {"store": True},
        {"modalities": ["text", "audio"]},
        {"audio": {"voice": "x"}},
        {"prediction": {"type": "content"}},
        {"web_search_options": {}},
        {"functions": []},
        {"stop": "other"},
        {"verbosity": "high"},
        {"top_k": 41},
        {"max_tokens": 0},
        {"max_tokens": True},
        {"seed": "x"},
        {"something_new": 1},
    ],
)
def test_c3_what_no_student_can_honour_is_unsupported(params):
    found = violation(CONTRACT, request(**params))
    assert found is not None
    assert found[0] == "unsupported_param"


@pytest.mark.parametrize(("temperature", "allowed"), [(0, True), (1.0, True), (1.01, False)])
def test_temperature_of_a_log_that_named_none(temperature, allowed):
    assert (violation(PLAIN, request(temperature=temperature)) is None) == allowed


def test_temperature_logged_as_a_maximum():
    contract = Contract("t", "tools", "format", "data", {"temperature": {"max": 0.7}})
    assert violation(contract, request(temperature=0.7)) is None
    assert violation(contract, request(temperature=0.8)) is not None


@pytest.mark.parametrize("change", ["tools", "output_format"])
def test_c3_another_schema_is_another_contract(change):
    asked = msgspec.structs.replace(
        request(), **{change: Toolset(hash="x") if change == "tools" else OutputFormat(hash="x")}
    )
    found = violation(CONTRACT, asked)
    assert found is not None
    assert found[0] == "contract"


def test_parts_that_are_not_text():
    found = violation(CONTRACT, request(parts=("image_url",)))
    assert found is not None
    assert found[0] == "unsupported_param"


NAMED = {"type": "function", "function": {"name": "book"}}


@pytest.mark.parametrize(
    ("choice", "plain", "logged"),
    [
        (None, True, True),
        ("auto", True, True),
        ("required", True, True),
        (NAMED, True, True),
        ("none", False, True),
        ({"type": "allowed_tools"}, False, False),
        (7, False, False),
    ],
)
def test_tool_choice_before_the_answer(choice, plain, logged):
    assert (violation(PLAIN, request(choice)) is None) == plain
    assert (violation(CONTRACT, request(choice)) is None) == logged


BOOK = ToolCall("book", "{}")
OTHER = ToolCall("other", "{}")


@pytest.mark.parametrize(
    ("asked", "answer", "kept"),
    [
        (request(), Answer("x" * 400), True),
        (request(max_tokens=100), Answer("x" * 400), True),
        (request(max_tokens=99), Answer("x" * 400), False),
        (request(max_tokens=500, max_completion_tokens=99), Answer("x" * 400), False),
        (request(stop="###"), Answer("a ### b"), False),
        (request(stop=["x", "b"]), Answer("abc"), False),
        (request(stop="###"), Answer("abc"), True),
        (request(stop="###"), Answer(None, (BOOK,)), True),
        (request("required"), Answer("text"), False),
        (request("required"), Answer(None, (BOOK,)), True),
        (request("none"), Answer(None, (BOOK,)), False),
        (request(NAMED), Answer(None, (BOOK,)), True),
        (request(NAMED), Answer(None, (OTHER,)), False),
        (request(NAMED), Answer("text"), False),
        (request(parallel_tool_calls=False), Answer(None, (BOOK, OTHER)), False),
        (request(parallel_tool_calls=True), Answer(None, (BOOK, OTHER)), True),
    ],
)
def test_what_the_answer_has_to_keep(asked, answer, kept):
    found = answer_violation(CONTRACT, asked, answer)
    assert (found is None) == kept
    assert found is None or found[0] == "unsupported_param"


@given(st.text(), st.lists(st.text()))
def test_an_answer_never_counts_zero_tokens(text, arguments):
    calls = tuple(ToolCall("f", item) for item in arguments)
    assert answer_tokens(Answer(text, calls)) >= max(1, len(text) // 4)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["temperature", "stop", "n", "top_k", "max_tokens", "x"]),
        json_values,
        max_size=4,
    ),
    json_values,
)
def test_s11_any_parameter_value_gets_a_verdict(params, choice):
    asked = request(choice, **params)
    for contract in (CONTRACT, PLAIN):
        found = violation(contract, asked)
        assert found is None or found[0] in ("contract", "unsupported_param")
        if found is None:
            answer_violation(contract, asked, Answer("text", (BOOK,)))


def test_a_part_that_can_not_be_read_is_named_with_its_reason():
    assert violation(CONTRACT, request(parts=("file: it is encrypted",))) == (
        "unsupported_param",
        "A message holds a part of kind 'file', which can't be read: it is encrypted.",
    )
