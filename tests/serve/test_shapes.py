"""R-10: an answer of another shape than was asked for never goes out."""

import pytest

from stepdown.core.calls import Answer, Message, OutputFormat, Request, Tool, ToolCall, Toolset
from stepdown.serve.shapes import Shapes

SCHEMA = {
    "type": "object",
    "properties": {"label": {"enum": ["a", "b"]}},
    "required": ["label"],
    "additionalProperties": False,
}
MESSAGES = (Message("user", "x"),)
TEXT = Request("m", MESSAGES)
OBJECT = Request("m", MESSAGES, output_format=OutputFormat("json_object", hash="o"))
STRICT = Request("m", MESSAGES, output_format=OutputFormat("json_schema", SCHEMA, True, "s"))
TOOLS = Request("m", MESSAGES, Toolset((Tool("pick", "", SCHEMA),), "t"))


def call(name="pick", arguments='{"label": "a"}'):
    return Answer(None, (ToolCall(name, arguments),))


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (TEXT, Answer("anything")),
        (TEXT, Answer("")),
        (OBJECT, Answer("{}")),
        (STRICT, Answer('{"label": "a"}')),
        (TOOLS, call()),
        (TOOLS, Answer("no tool needed")),
    ],
)
def test_what_fits(request_, answer):
    shapes = Shapes()
    assert shapes.misfit(request_, answer) is None
    assert shapes.misfit(request_, answer) is None


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (TEXT, Answer(None)),
        (TEXT, Answer(7)),
        (TEXT, call()),
        (OBJECT, Answer("[]")),
        (OBJECT, Answer("{")),
        (OBJECT, Answer("[" * 100_000)),
        (STRICT, Answer('{"label": "c"}')),
        (STRICT, Answer("{}")),
        (TOOLS, call("other")),
        (TOOLS, call(arguments='{"label": "c"}')),
        (TOOLS, call(arguments="[]")),
        (TOOLS, call(arguments="{")),
        (TOOLS, call(arguments=None)),
        (TOOLS, Answer(None, (*call().tool_calls, ToolCall("pick", "1")))),
    ],
)
def test_r10_what_does_not_fit(request_, answer):
    assert Shapes().misfit(request_, answer)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"$ref": "http://127.0.0.1:1/schema.json"},
        {"$ref": "#/nowhere"},
        {"pattern": "("},
    ],
)
def test_s11_a_schema_that_cannot_be_compiled_fits_nothing(schema):
    request = Request("m", MESSAGES, output_format=OutputFormat("json_schema", schema, True, "h"))
    assert Shapes().misfit(request, Answer('"x"'))


def test_s11_a_schema_that_refers_to_itself_ends():
    schema = {"$defs": {"a": {"$ref": "#/$defs/a"}}, "properties": {"x": {"$ref": "#/$defs/a"}}}
    request = Request("m", MESSAGES, output_format=OutputFormat("json_schema", schema, True, "h"))
    Shapes().misfit(request, Answer('{"x": 1}'))


def test_the_cache_is_bounded():
    shapes = Shapes()
    for index in range(600):
        wanted = OutputFormat("json_schema", {"const": index}, True, str(index))
        request = Request("m", MESSAGES, output_format=wanted)
        assert shapes.misfit(request, Answer(str(index))) is None
    assert len(shapes._compiled) <= 256
