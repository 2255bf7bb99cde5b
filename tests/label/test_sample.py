"""The sample is bounded, depends on ids alone, and holds teachers' answers of this task only."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.calls import Answer, Call, Message, Request, Toolset
from stepdown.core.datasets import Example
from stepdown.core.tasks import Segment, Signature, Task, Verdict
from stepdown.core.templates import Template
from stepdown.label.sample import examples_of, sample

TASK = Task(
    "t",
    "routing",
    Signature(system=Template(("Route it.",))),
    Anatomy("text", (Field("", "choice"),), 1, 1.0, 1.0),
    Verdict("distil"),
)


def call(name, text="hello", answer="billing", system="Route it.", **other):
    messages = (Message("system", system), Message("user", text))
    return Call(name, Request("m", messages), Answer(text=answer), "m", **other)


def test_an_example_is_what_the_templates_holes_hold():
    (example,) = examples_of(TASK, [call("a", "where is it?", time=3.0, group="u1")])
    assert example == Example(
        "a", (Segment("user", "where is it?"),), {"": "billing"}, group="u1", time=3.0
    )


def test_other_tasks_and_answers_of_smaller_tiers_are_passed_over():
    tools = msgspec.structs.replace(call("x").request, tools=Toolset((), "abc"))
    calls = [
        call("other", system="Translate it."),
        call("own", tier="small"),
        msgspec.structs.replace(call("tools"), request=tools),
        call("teacher", tier="frontier"),
        call("cheaper", tier="mid"),
    ]
    assert [example.id for example in examples_of(TASK, calls)] == ["teacher"]


def test_an_answer_of_another_shape_is_kept_as_unknown():
    (example,) = examples_of(TASK, [call("a", answer=None)])
    assert (example.known, example.record) == (False, {})


examples = st.lists(
    st.builds(
        Example,
        id=st.integers(0, 40).map(str),
        input=st.just((Segment("user", "xy"),)),
        record=st.just({}),
    ),
    max_size=60,
    unique_by=lambda example: example.id,
)


@given(examples, st.integers(1, 30), st.randoms())
def test_the_sample_is_bounded_and_blind_to_order(rows, cap, random):
    kept = sample(rows, cap, 10**6)
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert len(kept) == min(cap, len(rows))
    assert sample(shuffled, cap, 10**6) == kept
    assert sample(rows + rows, cap, 10**6) == kept


@given(examples)
def test_the_sample_is_bounded_in_size_too(rows):
    assert len(sample(rows, 1000, 10)) == min(5, len(rows))


def test_log_probabilities_become_soft_labels():
    answer = Answer("billing", first_tokens=(("bill", 0.8), ("ca", 0.2)))
    field = Field("", "choice", values=("billing", "cards"))
    task = msgspec.structs.replace(TASK, anatomy=Anatomy("text", (field,), 1, 1.0, 1.0))
    (example,) = examples_of(task, [msgspec.structs.replace(call("a"), answer=answer)])
    assert example.soft == {"billing": 0.8, "cards": 0.2}
    (plain,) = examples_of(task, [call("a")])
    assert plain.soft == {}
