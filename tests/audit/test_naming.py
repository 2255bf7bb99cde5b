import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.audit.naming import name_of, names_beside, slug, task_id, unique
from stepdown.core.calls import NO_TOOLS, PLAIN_TEXT, OutputFormat, Tool, Toolset
from stepdown.core.tasks import Signature
from stepdown.core.templates import Template


def named(system="", hint=None, tools=NO_TOOLS, output_format=PLAIN_TEXT):
    return name_of(Signature(system=Template((system,))), hint, tools, output_format)


@pytest.mark.parametrize(
    ("system", "name"),
    [
        ("Classify the customer's message: a, b or c.", "classify-customer-message-b"),
        ("You are an assistant that routes support tickets.", "route-support-tickets"),
        ("Extract the company and the total from it.", "extract-company-total"),
        ("Sie sind eine Bank.", "sie-sind-eine-bank"),
        ("", "task"),
        ("请分类", "task"),
    ],
)
def test_names_come_from_the_instruction(system, name):
    assert named(system) == name


def test_without_an_instruction_the_tools_or_the_schema_name_it():
    tools = Toolset((Tool("getWeather"), Tool("book_table"), Tool("x")), "h")
    assert named("Hello.", tools=tools) == "get-weather-book-table"
    schema = OutputFormat("json_schema", {"title": "SupportTicket"}, hash="h")
    assert named("Hello.", output_format=schema) == "support-ticket"


@pytest.mark.parametrize("hint", ["Ticket Routing", "ticket_routing.v2", "a"])
def test_a_hint_that_a_header_can_hold_is_the_name(hint):
    assert named("Classify it.", hint) == hint


@pytest.mark.parametrize(
    ("hint", "name"),
    [(" a ", "a"), ("a\r\nX: b", "a-x-b"), ("Überweisung", "uberweisung"), ("票", "task")],
)
def test_any_other_hint_is_made_one(hint, name):
    assert named("", hint) == name


@given(st.text(), st.one_of(st.none(), st.text()))
def test_every_name_fits_a_header(system, hint):
    assert re.fullmatch(r"[!-~]([ -~]{0,98}[!-~])?", named(system, hint))


@given(st.text())
def test_slugs_are_plain(text):
    assert re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", slug(text))
    assert len(slug(text)) <= 48


@given(st.lists(st.sampled_from(["a", "a-2", "a-2-2", "b"])))
def test_unique_names_are_unique_and_keep_the_first(names):
    result = unique(names)
    assert len(set(result)) == len(names)
    assert all(new.startswith(old) for new, old in zip(result, names, strict=True))


def test_the_id_is_the_signature_s_and_the_hint_s():
    one, other = Signature(tools="1"), Signature(tools="2")
    ids = {task_id(one, None), task_id(one, "h"), task_id(other, None)}
    assert len(ids) == 3
    assert task_id(Signature(tools="1"), None) in ids
    assert all(re.fullmatch(r"t-[0-9a-f]{10}", name) for name in ids)


def test_a_task_keeps_its_name_and_no_other_takes_it():
    earlier = {"t-1": "sort", "t-2": "sort-2"}
    found = {"t-3": "sort", "t-2": "sort", "t-4": "sort", "t-5": "read"}
    assert names_beside(found, earlier) == ["sort-3", "sort-2", "sort-4", "read"]
    assert names_beside({"t-1": "other"}, {}) == ["other"]
