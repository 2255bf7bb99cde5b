import pytest

from stepdown.audit.declared import Declared, declared_fields
from stepdown.core.calls import NO_TOOLS, PLAIN_TEXT, OutputFormat, Tool, Toolset


def fields_of(schema):
    return declared_fields(NO_TOOLS, OutputFormat("json_schema", schema, hash="h"))


def test_leaves_of_nested_objects_with_what_is_required():
    schema = {
        "properties": {
            "team": {"enum": ["a", "b"]},
            "address": {"properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
        "required": ["team"],
    }
    assert fields_of(schema) == {
        "/team": Declared(closed=True, required=True),
        "/address/city": Declared(closed=False, required=False),
    }


@pytest.mark.parametrize(
    "node",
    [
        {"type": "boolean"},
        {"const": 1},
        {"enum": ["x"]},
        {"type": ["boolean", "null"]},
        {"anyOf": [{"enum": ["x"]}, {"type": "null"}]},
        {"type": "array", "items": {"enum": ["x"]}},
        {"$ref": "#/$defs/kind~1one"},
    ],
)
def test_closed_sets_in_all_their_spellings(node):
    schema = {"properties": {"f": node}, "$defs": {"kind/one": {"enum": [1]}}}
    assert fields_of(schema)["/f"].closed


@pytest.mark.parametrize(
    "node",
    [
        {"type": "string"},
        {},
        True,
        {"$ref": "#/nowhere"},
        {"$ref": 5},
        {"anyOf": [{}, {"enum": [1]}]},
    ],
)
def test_anything_else_is_open(node):
    assert not fields_of({"properties": {"f": node}})["/f"].closed


def test_a_schema_that_holds_itself_ends():
    schema = {
        "properties": {"f": {"$ref": "#"}, "g": {"$ref": "#"}, "h": {"$ref": "#/properties/h"}}
    }
    assert len(fields_of(schema)) <= 2_000


def test_tool_arguments_stand_under_the_tool_s_name():
    tool = Tool("book/it", parameters={"properties": {"two": {"type": "boolean"}}})
    fields = declared_fields(Toolset((tool,), "h"), PLAIN_TEXT)
    assert fields["/book~1it/two"] == Declared(closed=True, required=False)
