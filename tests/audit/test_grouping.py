"""Grouping a stream of calls: one task a template, whatever its dates, names and ids."""

from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.audit.prompts import calls_of

from stepdown.audit.grouping import Grouper
from stepdown.core.calls import Answer, Call, Message, Request, Toolset
from stepdown.core.tasks import texts

LAYOUTS = [
    ("You sort the mail of a shop. Today is {date}.", "{text}"),
    ("", "Classify the following message of {name}:\n\n{text}\n\nLabel:"),
    (
        "You are an assistant. Agent on duty: {name}.",
        "Translate the text below. Ref {id}\n---\n{text}",
    ),
    ("Extract the order number as JSON and nothing else.", "Customer: {text}"),
]


def grouped(calls):
    grouper = Grouper()
    found = {}
    for call in calls:
        found.update((done.id, number) for done, number in grouper.add(call))
    found.update((done.id, number) for done, number in grouper.finish())
    merged = grouper.merged()
    for name, number in found.items():
        while number in merged:
            number = merged[number]
        found[name] = number
    return found, grouper


def partition(found):
    sets = defaultdict(set)
    for name, number in found.items():
        sets[number].add(name)
    return {frozenset(members) for members in sets.values()}


def test_one_task_a_template():
    made = calls_of(LAYOUTS, 120)
    found, _ = grouped([call for call, _ in made])
    truth = partition({call.id: number for call, number in made})
    assert partition(found) == truth


def test_the_order_of_the_log_does_not_matter():
    made = [call for call, _ in calls_of(LAYOUTS, 80)]
    one, first = grouped(made)
    other, second = grouped(made[::-1])
    assert partition(one) == partition(other)
    assert set(first.groups().values()) == set(second.groups().values())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Answer in French.", "Answer in German."),
        ("Use at most 3 words.", "Use at most 5 words."),
        ("Be brief.", "Explain your reasoning step by step."),
    ],
)
def test_prompts_that_differ_in_one_instruction_are_two(one, other):
    base = "You help the customers of a furniture shop with their orders. "
    made = calls_of([(base + one, "{text}"), (base + other, "{text}")], 100)
    found, _ = grouped([call for call, _ in made])
    assert partition(found) == partition({call.id: number for call, number in made})


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "Sort the mail.", "Today is {date}. You serve {name}."]),
            st.sampled_from(["{text}", "Say why: {text}", "{text}\n\nAnswer in one word."]),
        ),
        min_size=1,
        max_size=3,
    ),
    st.integers(2, 60),
    st.integers(0, 5),
)
def test_every_call_fits_the_signature_of_its_group(layouts, each, seed):
    calls = [call for call, _ in calls_of(layouts, each, seed)]
    found, grouper = grouped(calls)
    signatures = grouper.groups()
    assert len(found) == len({call.id for call in calls})
    for call in calls:
        assert signatures[found[call.id]].match(*texts(call.request)) is not None


def test_the_whole_free_text_is_in_the_hole():
    made = calls_of([("", "Classify the following message of {name}:\n\n{text}\n\nLabel:")], 150)
    _, grouper = grouped([call for call, _ in made])
    (signature,) = grouper.groups().values()
    said = "Classify the following message of Zoe:\n\nnever seen before words?\n\nLabel:"
    found = signature.match("", "", said)
    assert found is not None
    assert found[-1].text == "never seen before words?"


def test_tools_and_hints_are_exact():
    def call(name, **fields):
        hint = fields.pop("hint", None)
        request = Request("m", (Message("user", f"text {name}"),), **fields)
        return Call(name, request, Answer("x"), "m", task=hint)

    calls = [call(f"a{n}") for n in range(30)]
    calls += [call(f"b{n}", tools=Toolset(hash="t")) for n in range(30)]
    calls += [call(f"c{n}", hint="mine") for n in range(30)]
    found, grouper = grouped(calls)
    groups = partition({name: number for name, number in found.items()})
    assert groups == {frozenset(f"{k}{n}" for n in range(30)) for k in "abc"}
    assert {grouper.hint_of(number) for number in set(found.values())} == {None, "mine"}
