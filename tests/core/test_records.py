"""Records: flattening has an inverse, agreement is an equivalence, style is reproduced."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.calls import Answer, ToolCall
from stepdown.core.records import (
    flatten,
    infer_shape,
    read_answer,
    read_json,
    same_record,
    same_value,
    style_of,
    tool_call,
    tool_calls,
    unflatten,
    write_json,
)

scalars = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"))
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), values, max_size=4)


@given(values)
def test_unflatten_inverts_flatten(value):
    assert unflatten(flatten(value)) == value


@given(objects)
def test_json_answer_reads_back(value):
    record = read_answer(Answer(text=json.dumps(value)), "json")
    assert record is not None
    assert unflatten(record) == value


def test_pointers_are_escaped():
    assert flatten({"a/b": {"~": 1}, "": 2}) == {"/a~1b/~0": 1, "/": 2}


def test_lists_and_empty_objects_are_values():
    assert flatten({"a": [1, {"b": 2}], "c": {}}) == {"/a": [1, {"b": 2}], "/c": {}}
    assert flatten([1]) == {"": [1]}


def test_unflatten_refuses_a_path_through_a_value():
    with pytest.raises(ValueError, match="already has a value"):
        unflatten({"/a": 1, "/a/b": 2})


@given(values, values)
def test_agreement_is_symmetric(a, b):
    assert same_value(a, a)
    assert same_value(a, b) == same_value(b, a)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, None, False),
        ("x ", " x", True),
        ("x y", "x  y", False),
        ("1", 1, False),
        ([1, "a "], [1.0, "a"], True),
        ([1], [1, 2], False),
        ([{"a": None}], [{}], True),
        (None, None, True),
    ],
)
def test_same_value(a, b, same):
    assert same_value(a, b) is same


def test_null_and_absent_agree():
    assert same_record({"/a": 1, "/b": None}, {"/a": 1})
    assert not same_record({"/a": 1, "/b": 0}, {"/a": 1})


def call(name="f", arguments="{}"):
    return ToolCall(name, arguments)


@pytest.mark.parametrize(
    ("answer", "shape", "record"),
    [
        (Answer(text="  billing\n"), "text", {"": "billing"}),
        (Answer(text="  "), "text", None),
        (Answer(text="x", refusal="no"), "text", None),
        (Answer(text="x", finish_reason="content_filter"), "text", None),
        (Answer(text="x", tool_calls=(call(),)), "text", None),
        (Answer(text='```json\n{"a": {"b": 1}}\n```'), "json", {"/a/b": 1}),
        (Answer(text='```\n[1]\n```'), "json", {"": [1]}),
        (Answer(text="5"), "json", {"": 5}),
        (Answer(text="sorry"), "json", None),
        (Answer(text='{"a": "\ud800"}'), "json", None),
        (Answer(text=None), "json", None),
        (Answer(text="hello"), "tool", {"/tool": None}),
        (Answer(), "tool", None),
        (Answer(tool_calls=(call("f", '{"x": [1], "y": {"z": "t"}}'),)), "tool",
         {"/tool": "f", "/f/x": [1], "/f/y/z": "t"}),
        (Answer(tool_calls=(call("f", ""),)), "tool", {"/tool": "f"}),
        (Answer(tool_calls=(call("f", "[1]"),)), "tool", None),
        (Answer(tool_calls=(call("f", "{"),)), "tool", None),
        (Answer(tool_calls=(call("f", '{"x": 1}'), call("g", ""))), "tool",
         {"/calls": [{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {}}]}),
        (Answer(tool_calls=(call(), call("f", "["))), "tool", None),
    ],
)  # fmt: skip
def test_read_answer(answer, shape, record):
    assert read_answer(answer, shape) == record


@pytest.mark.parametrize("depth", [70, 900, 100_000])
def test_deep_json_is_refused(depth):
    text = "[" * depth + "]" * depth
    with pytest.raises(ValueError, match=r"nested|not JSON"):
        read_json(text)
    assert read_answer(Answer(text=text), "json") is None


@given(st.text(st.characters(codec="utf-8"), min_size=1), objects)
def test_tool_call_inverts_reading(name, arguments):
    answer = Answer(tool_calls=(call(name, json.dumps(arguments)),))
    record = read_answer(answer, "tool")
    assert record is not None
    assert tool_call(record) == (name, arguments)


def test_no_tool_is_no_call():
    assert tool_call({"/tool": None}) is None


def test_infer_shape():
    text, obj = Answer(text="a"), Answer(text='{"a": 1}')
    tool = Answer(tool_calls=(call(),))
    assert infer_shape([text, text, obj], has_tools=False) == "text"
    assert infer_shape([text, obj, obj], has_tools=False) == "json"
    assert infer_shape([Answer(text="5")] * 3, has_tools=False) == "text"
    assert infer_shape([text] * 9 + [tool], has_tools=True) == "tool"
    assert infer_shape([text] * 9 + [tool], has_tools=False) == "text"
    assert infer_shape([text] * 30 + [tool], has_tools=True) == "text"
    assert infer_shape([Answer(text="{broken")] * 3, has_tools=False) == "text"
    assert infer_shape([], has_tools=True) == "text"


@given(
    objects.filter(bool),
    st.sampled_from([(None, (", ", ": ")), (None, (",", ":")), (2, (",", ": ")), (4, (",", ": "))]),
    st.sampled_from(["", "```json", "```"]),
)
def test_style_reproduces_the_bytes(value, layout, fence):
    indent, separators = layout
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)
    text = f"{fence}\n{text}\n```" if fence else text
    shuffled = unflatten(dict(sorted(flatten(value).items(), reverse=True)))
    style = style_of([text])
    # A value of one token ("{}" and the like) can't tell two layouts apart, nor need it.
    assert write_json(shuffled, style) == text


def test_style_follows_the_majority():
    texts = ['{"b":1,"a":2}', '{"b":"é","a":2}', '{"a": 1}', "not json", '{"b":"\\u00e9","c":1}']
    style = style_of(texts)
    assert style["separators"] == [",", ":"]
    assert write_json({"z": 0, "a": 1, "b": "ü"}, style) == '{"b":"ü","a":1,"z":0}'
    assert write_json({"a": "ü"}, style_of(['{"a": "\\u00fc"}'])) == '{"a": "\\u00fc"}'
    assert write_json({"a": 1}, style_of([])) == '{"a": 1}'
    assert write_json([1], {}) == "[1]"


def test_tool_calls_are_all_calls_of_a_record():
    assert tool_calls({"/tool": None}) == []
    assert tool_calls({"/tool": "f", "/f/x": 1}) == [("f", {"x": 1})]
    pair = [{"name": "f", "arguments": {"x": 1}}, {"name": "f", "arguments": {}}]
    assert tool_calls({"/calls": pair}) == [("f", {"x": 1}), ("f", {})]
    for odd in (None, [3], [{"name": "f"}], [{"name": 3, "arguments": {}}]):
        with pytest.raises(ValueError, match=r"it is no list|a call needs"):
            tool_calls({"/calls": odd})
