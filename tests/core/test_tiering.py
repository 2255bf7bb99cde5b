"""Task types from a request's own shape, and tiers from a score: ordered, checked, configurable."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stepdown
from stepdown.core.calls import Message, OutputFormat, Request, Tool, Toolset
from stepdown.core.tiering import TASK_TYPES, Thresholds, route_to_model, task_type_of
from stepdown.errors import UsageError

ORDER = {"small": 0, "mid": 1, "frontier": 2}
unit = st.floats(0.0, 1.0)
cuts = st.tuples(unit, unit).map(lambda pair: Thresholds(min(pair), max(pair)))


def request(text, system="", **more):
    turns = (Message("system", system),) if system else ()
    return Request(model="m", messages=(*turns, Message("user", text)), **more)


@pytest.mark.parametrize(
    ("score", "tier"),
    [
        (0.0, "small"),
        (0.3999, "small"),
        (0.4, "mid"),
        (0.7499, "mid"),
        (0.75, "frontier"),
        (1.0, "frontier"),
        (None, "frontier"),
    ],
)
@pytest.mark.parametrize("kind", TASK_TYPES)
def test_the_usual_thresholds_part_three_tiers(kind, score, tier):
    assert route_to_model(kind, score) == tier


@given(st.sampled_from(TASK_TYPES), unit, unit, cuts)
def test_a_higher_score_never_means_a_smaller_tier(kind, one, other, cut):
    low, high = sorted((one, other))
    assert ORDER[route_to_model(kind, low, cut)] <= ORDER[route_to_model(kind, high, cut)]


@given(unit, cuts)
def test_higher_thresholds_never_mean_a_larger_tier(score, cut):
    raised = Thresholds(cut.mid, 1.0)
    assert (
        ORDER[route_to_model("prose", score, raised)] <= ORDER[route_to_model("prose", score, cut)]
    )


def test_a_task_type_can_have_its_own_thresholds():
    types = {"code": Thresholds(0.1, 0.2)}
    assert route_to_model("code", 0.3, types=types) == "frontier"
    assert route_to_model("prose", 0.3, types=types) == "small"


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, -0.01, 1.01])
def test_what_is_no_probability_is_refused(score):
    with pytest.raises(UsageError, match="no probability"):
        route_to_model("prose", score)


def test_an_unknown_task_type_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="labels, schema, tools, code, prose"):
        route_to_model("poem", 0.5)


@pytest.mark.parametrize(("mid", "frontier"), [(0.8, 0.7), (-0.1, 0.5), (0.5, 1.5), (math.nan, 1)])
def test_thresholds_that_part_nothing_are_refused(mid, frontier):
    with pytest.raises(UsageError, match="0 <= mid <= frontier <= 1"):
        Thresholds(mid, frontier)


def test_the_package_itself_offers_it():
    assert stepdown.route_to_model is route_to_model
    assert stepdown.Thresholds is Thresholds
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = stepdown.nothing


TOOLS = Toolset((Tool("find"),), "h")


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("tools", request("What is the weather?", tools=TOOLS)),
        ("prose", request("What is the weather?", tools=TOOLS, tool_choice="none")),
        ("schema", request("Read it.", output_format=OutputFormat("json_schema", {}))),
        ("schema", request("Read it.", output_format=OutputFormat("json_object"))),
        ("schema", request("Rent is due.", system="Return a JSON object with the due date.")),
        ("labels", request("Hello", system="Classify the ticket.")),
        ("labels", request("Is it spam? Answer with yes or no.")),
        ("labels", request("My card is lost.", system="Answer with the label only.")),
        ("labels", request("Pick one of the following: red, green.")),
        ("labels", request("Which is largest?\nA. the sun\nB. the moon\nC. the sea\nD. a cat")),
        ("labels", request("Good or bad?", params={"max_tokens": 1})),
        ("labels", request("Good or bad?", params={"max_completion_tokens": 5})),
        ("code", request("Why does it fail?\n```python\nprint(1)\n```")),
        ("code", request("Write a Python function that adds two numbers.")),
        ("code", request("Here is the stack trace of the crash.")),
        ("code", request("def add(a, b):\n    return a + b")),
        ("prose", request("Tell me about the sea.")),
        ("prose", request("Let f be a continuous function on the reals.")),
        ("prose", request("Good or bad?", params={"max_tokens": 500})),
        ("prose", request("")),
        ("prose", Request(model="m", messages=())),
    ],
)
def test_the_type_is_read_from_the_request_itself(kind, asked):
    assert task_type_of(asked) == kind


@given(st.text(max_size=300), st.text(max_size=300))
def test_every_request_has_a_type(text, system):
    assert task_type_of(request(text, system)) in TASK_TYPES


def test_a_long_hostile_text_costs_no_more_than_a_short_one():
    hostile = "return answer " * 100_000 + "SELECT " * 100_000 + "\n" * 100_000
    began = time.process_time()
    assert task_type_of(request(hostile)) in TASK_TYPES
    assert time.process_time() - began < 0.25


def test_instructions_at_the_end_of_a_long_text_are_seen():
    assert task_type_of(request("word " * 50_000 + "Answer with yes or no.")) == "labels"
