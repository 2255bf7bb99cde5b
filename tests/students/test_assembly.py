"""Assembly: answers in the teacher's style, valid for the schema, or a reason for none."""

import json

import msgspec
import pytest

from stepdown.core.anatomy import Anatomy
from stepdown.core.calls import Answer, OutputFormat, Tool
from stepdown.core.tasks import Signature, Task, Verdict
from stepdown.errors import ArtefactError
from stepdown.students.assembly import assembler_of

SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "day": {"enum": ["mon", None]}},
    "required": ["n"],
}
STYLE = {"fence": "```json", "indent": None, "separators": [",", ":"], "key_order": ["/day", "/n"]}


def answered(assembler, record):
    answer = assembler.assemble(record)
    assert isinstance(answer, Answer), answer
    return answer


def refused(assembler, record):
    reason = assembler.assemble(record)
    assert isinstance(reason, str)
    return reason


def task(shape, schema=None, tools=(), style=None, **changes):
    fields = {
        "tools_json": msgspec.json.encode(tools).decode(),
        "output_format_json": msgspec.json.encode(
            OutputFormat("json_schema", schema) if schema is not None else None
        ).decode(),
        **changes,
    }
    anatomy = Anatomy(shape, (), 1, 1.0, 1.0, style=style or {})
    return Task("t", "lookup", Signature(), anatomy, Verdict("distil"), **fields)


def test_text_is_the_label():
    answer = answered(assembler_of(task("text")), {"": "Card arrival"})
    assert (answer.text, answer.finish_reason, answer.tool_calls) == ("Card arrival", "stop", ())


@pytest.mark.parametrize("record", [{}, {"": ""}, {"": None}, {"": 5}])
def test_text_that_is_none_is_no_answer(record):
    assert "empty" in refused(assembler_of(task("text")), record)


def test_an_object_is_written_as_the_teacher_writes_it():
    answer = answered(assembler_of(task("json", SCHEMA, style=STYLE)), {"/n": 1, "/day": None})
    assert answer.text == '```json\n{"day":null,"n":1}\n```'
    assert answer.finish_reason == "stop"


@pytest.mark.parametrize(
    "record", [{"/n": "1"}, {"/day": "mon"}, {"/n": 1, "/day": "tue"}, {"": 3}]
)
def test_an_object_that_breaks_the_schema_is_no_answer(record):
    assert "not be valid" in refused(assembler_of(task("json", SCHEMA)), record)


def test_without_a_schema_any_object_is_an_answer():
    assembler = assembler_of(task("json"))
    answer = answered(assembler, {"/a/b": [1], "/c": True})
    assert json.loads(answer.text or "") == {
        "a": {"b": [1]},
        "c": True,
    }


def test_fields_that_contradict_each_other_are_no_answer():
    assert "one object" in refused(assembler_of(task("json")), {"/a": 1, "/a/b": 2})


TOOLS = [Tool("look/up", parameters=SCHEMA), Tool("stop", parameters={"type": "object"})]


def test_a_call_has_valid_arguments_and_an_id_of_its_own():
    assembler = assembler_of(task("tool", tools=TOOLS))
    record = {"/tool": "look/up", "/look~1up/n": 4, "/stop/n": "not this tool's"}
    first, second = (answered(assembler, record).tool_calls[0] for _ in range(2))
    assert (first.name, json.loads(first.arguments)) == ("look/up", {"n": 4})
    assert first.id.startswith("call_")
    assert first.id != second.id
    assert answered(assembler, record).finish_reason == "tool_calls"
    assert answered(assembler, {"/tool": "stop"}).tool_calls[0].arguments == "{}"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"/tool": None}, "No tool"),
        ({}, "No tool"),
        ({"/tool": "other"}, "not one of"),
        ({"/tool": "look/up"}, "arguments would not be valid"),
    ],
)
def test_what_is_no_valid_call_is_no_answer(record, reason):
    assert reason in refused(assembler_of(task("tool", tools=TOOLS)), record)


def test_undeclared_tools_are_not_checked():
    answer = answered(assembler_of(task("tool")), {"/tool": "any", "/any/x": 1})
    assert answer.tool_calls[0].arguments == '{"x": 1}'


@pytest.mark.parametrize(
    "schema", [{"type": "bogus"}, {"$ref": "http://127.0.0.1:9/schema"}, {"pattern": "(("}]
)
def test_a_schema_that_cannot_be_used_says_so(schema):
    with pytest.raises(ArtefactError, match="correct it in the calls"):
        assembler_of(task("json", schema))
    with pytest.raises(ArtefactError, match="tool look"):
        assembler_of(task("tool", tools=[Tool("look", parameters=schema)]))


@pytest.mark.parametrize("changes", [{"tools_json": "["}, {"output_format_json": "3"}])
def test_a_task_that_cannot_be_read_says_so(changes):
    with pytest.raises(ArtefactError, match="lookup"):
        assembler_of(task("json", **changes))


def test_several_calls_are_assembled_in_order_and_checked_each():
    tools = '[{"name":"a","parameters":{"type":"object","required":["x"]}},{"name":"b"}]'
    task = Task(
        "t", "t", Signature(), Anatomy("tool", (), 9, 1, 1), Verdict("distil"), tools_json=tools
    )
    assembler = assembler_of(task)
    pair = [{"name": "b", "arguments": {}}, {"name": "a", "arguments": {"x": 1}}]
    answer = assembler.assemble({"/calls": pair})
    assert isinstance(answer, Answer)
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [
        ("b", "{}"),
        ("a", '{"x": 1}'),
    ]
    assert len({call.id for call in answer.tool_calls}) == 2
    assert isinstance(assembler.assemble({"/calls": [pair[0], {"name": "a"}]}), str)
    assert "valid" in str(assembler.assemble({"/calls": [{"name": "a", "arguments": {}}]}))
