"""Tools and output formats: one hash for one meaning."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.calls import NO_TOOLS, PLAIN_TEXT
from stepdown.errors import InputError
from stepdown.wire.openai_tools import (
    MAX_NESTING,
    check_nesting,
    dump_toolset,
    parse_output_format,
    parse_toolset,
)

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        "strict": True,
    },
}
CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}
SEARCH = {"type": "web_search", "filters": {"allowed_domains": ["example.org"]}}


def toolset(*tools, **how):
    return parse_toolset(json.dumps(list(tools), **how).encode())


def schema_format(schema, **fields):
    wanted = {"name": "answer", "schema": schema} | fields
    return parse_output_format(json.dumps({"type": "json_schema", "json_schema": wanted}).encode())


def reversed_keys(value):
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return value


def test_tools_are_sorted_and_found_by_name():
    tools = toolset(WEATHER, CLOCK)
    assert [tool.name for tool in tools.tools] == ["clock", "get_weather"]
    weather = tools.get("get_weather")
    assert weather is not None
    assert weather.strict
    assert weather.parameters["properties"] == {"city": {"type": "string"}}


def test_order_spacing_and_key_order_do_not_change_the_hash():
    tools = toolset(WEATHER, CLOCK)
    assert toolset(CLOCK, reversed_keys(WEATHER), indent=2) == tools
    assert toolset(CLOCK | {"type": "function"}, WEATHER).hash == tools.hash


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["name"], "weather"),
        (["description"], "Weather."),
        (["strict"], False),
        (["parameters", "properties", "city", "type"], "number"),
        (["parameters", "required"], ["city"]),
    ],
    ids=str,
)
def test_any_change_of_meaning_changes_the_hash(path, value):
    changed = json.loads(json.dumps(WEATHER))
    place = changed["function"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert toolset(changed).hash != toolset(WEATHER).hash


def test_a_tool_that_is_no_function_is_kept_whole():
    tools = toolset(SEARCH, CLOCK)
    search = tools.get("web_search")
    assert search is not None
    assert (search.kind, search.parameters) == ("web_search", SEARCH)
    assert toolset(SEARCH | {"filters": {}}, CLOCK).hash != tools.hash


def test_a_custom_tool_goes_by_its_own_name():
    custom = {"type": "custom", "custom": {"name": "sql"}}
    assert toolset(custom).tools[0].name == "sql"


@pytest.mark.parametrize("raw", [b"[]", b"null", b" [ ] "])
def test_no_tools(raw):
    assert parse_toolset(raw) == NO_TOOLS


def test_flat_functions_are_read_like_nested_ones():
    assert toolset(WEATHER["function"]).hash == toolset(WEATHER).hash


@given(
    st.lists(
        st.fixed_dictionaries(
            {"name": st.text(min_size=1)},
            optional={
                "description": st.text(),
                "strict": st.booleans(),
                "parameters": st.dictionaries(st.text(), st.text() | st.integers(-9, 9)),
            },
        ),
        max_size=4,
    )
)
def test_dumping_and_reading_gives_the_same_toolset(functions):
    tools = toolset(*({"type": "function", "function": function} for function in functions))
    again = toolset(*dump_toolset(tools))
    assert again == tools
    assert toolset(*reversed(dump_toolset(tools))).hash == tools.hash


def test_dumping_keeps_what_is_no_function():
    tools = toolset(SEARCH, WEATHER)
    assert dump_toolset(tools) == [WEATHER, SEARCH]


def test_plain_text_and_absent_are_the_same_format():
    assert parse_output_format(b'{"type": "text"}') == PLAIN_TEXT == parse_output_format(b"null")


def test_a_format_is_named_by_kind_and_schema():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    wanted = schema_format(schema, strict=True)
    assert (wanted.kind, wanted.schema, wanted.strict) == ("json_schema", schema, True)
    assert schema_format(reversed_keys(schema), name="other").hash == wanted.hash
    assert schema_format(schema | {"required": ["a"]}).hash != wanted.hash
    kinds = {wanted.hash, parse_output_format(b'{"type":"json_object"}').hash, PLAIN_TEXT.hash}
    assert len(kinds) == 3


def test_an_unknown_kind_of_format_is_kept_apart_by_its_content():
    first = parse_output_format(b'{"type": "regex", "pattern": "a"}')
    second = parse_output_format(b'{"type": "regex", "pattern": "b"}')
    assert first.kind == "regex"
    assert first.hash != second.hash


def test_a_toolset_too_large_to_remember_is_still_read():
    large = json.loads(json.dumps(WEATHER))
    large["function"]["description"] = "x" * 100_000
    assert toolset(large) == toolset(large)


@pytest.mark.parametrize(
    "raw", [b"{}", b"[1]", b'[{"type":"function"}]', b'[{"function":{"name":1}}]', b"[", b"\xff"]
)
def test_what_is_no_toolset_is_an_input_error(raw):
    with pytest.raises(InputError, match="in `tools`"):
        parse_toolset(raw)


@pytest.mark.parametrize("raw", [b"[]", b'"json"', b"{}", b'{"type":"json_schema"}', b"{"])
def test_what_is_no_format_is_an_input_error(raw):
    with pytest.raises(InputError, match="in `response_format`"):
        parse_output_format(raw)


def test_nesting_is_bounded_and_breadth_is_not():
    def nested(levels):
        value = []
        for _ in range(levels - 1):
            value = [value]
        return value

    deepest = nested(MAX_NESTING)
    check_nesting(json.dumps(deepest).encode(), deepest)
    wide = [[] for _ in range(1000)]
    check_nesting(json.dumps(wide).encode(), wide)
    with pytest.raises(ValueError, match="nested deeper"):
        check_nesting(json.dumps([deepest]).encode(), [deepest])
