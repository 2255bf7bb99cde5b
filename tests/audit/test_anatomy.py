import json
import random

from tests.audit.tickets import tickets

from stepdown.audit.anatomy import dissect
from stepdown.audit.sample import Sampled
from stepdown.core.calls import NO_TOOLS, PLAIN_TEXT, Answer, OutputFormat, Tool, ToolCall, Toolset
from stepdown.core.filled import templates_of
from stepdown.core.tasks import Signature
from stepdown.core.templates import Template

CITIES = ["Oslo", "Bergen", "Trondheim", "Narvik", "Bodo", "Alta", "Moss", "Hamar", "Molde"]


def asked(user, answer, system=""):
    return Sampled((system, "", user), answer)


def of(sample, signature=None, tools=NO_TOOLS, output_format=PLAIN_TEXT):
    return dissect(sample, signature or Signature(), tools, output_format)


def test_a_text_answer_is_one_field():
    found = of([asked(f"mail {n}", Answer("spam" if n % 3 else "ham")) for n in range(90)])
    [field] = found.anatomy.fields
    assert (found.anatomy.shape, field.path, field.kind) == ("text", "", "choice")
    assert field.values == ("spam", "ham")
    assert found.anatomy.bound_calls == 1.0
    assert found.examples[0] == "mail 0 → ham"
    assert len(found.examples) == 3


def record(n):
    made = random.Random(n)
    code = "".join(made.choices("bcdfgk", k=6))
    answer = {"team": "ab"[n % 2], "code": code, "note": None}
    if n % 4 == 0:
        answer["note"] = "".join(made.choices("lmnprst", k=8))
    return asked(f"ticket {code} is open", Answer(json.dumps(answer, separators=(",", ":"))))


def test_free_values_count_where_they_are_and_nulls_are_not_free():
    found = of([record(n) for n in range(200)]).anatomy
    kinds = {field.path: field.kind for field in found.fields}
    assert kinds == {"/team": "choice", "/code": "copy", "/note": "free"}
    assert found.bound_calls == 0.75
    assert found.bound_fields == 1 - 50 / 600
    assert found.style["separators"] == [",", ":"]


def test_unreadable_answers_are_counted_and_not_bound():
    sample = [record(1 + 4 * n) for n in range(90)] + [asked("x", Answer("sorry"))] * 10
    found = of(sample).anatomy
    assert (found.sampled, found.unreadable) == (100, 10)
    assert found.bound_calls == 0.9


def test_what_the_template_says_is_not_copied_from_it():
    signature = Signature(system=Template(("Cities: " + " ".join(CITIES),)))
    system = signature.system.fragments[0]
    sample = [asked(f"call {n}", Answer(CITIES[n % 9]), system) for n in range(180)]
    [field] = of(sample, signature).anatomy.fields
    assert (field.kind, field.aligned) == ("choice", 0.0)


def test_calls_that_do_not_fit_the_signature_are_left_out():
    signature = Signature(system=Template(("known",)))
    sample = [asked("x", Answer("a"), system) for system in ("known", "other", "known")]
    assert of(sample, signature).anatomy.sampled == 2


def test_a_tool_s_arguments_are_fields_of_that_tool_s_calls():
    tools = Toolset(
        (
            Tool("go", parameters={"properties": {"to": {}, "now": {"type": "boolean"}}}),
            Tool("stay"),
        ),
        "h",
    )

    def answer(n):
        if n % 4 == 0:
            return Answer("none of these")
        if n % 4 == 1:
            return Answer(None, (ToolCall("stay", ""),))
        arguments = {"to": CITIES[n % 9]} | ({"now": True} if n % 4 == 2 else {})
        return Answer(None, (ToolCall("go", json.dumps(arguments)),))

    found = of([asked(f"to {CITIES[n % 9]} {n}", answer(n)) for n in range(400)], tools=tools)
    anatomy, fields = found.anatomy, {field.path: field for field in found.anatomy.fields}
    assert anatomy.shape == "tool"
    assert anatomy.none_share == 0.25
    assert fields["/tool"].values == ("go", "stay")
    assert fields["/tool"].null == 0.25
    assert (fields["/go/to"].kind, fields["/go/to"].present) == ("copy", 1.0)
    assert (fields["/go/now"].kind, fields["/go/now"].present) == ("choice", 0.5)


def test_several_tool_calls_at_once_are_counted():
    two = Answer(None, (ToolCall("f", "{}"), ToolCall("g", "{}")))
    one = Answer(None, (ToolCall("f", "{}"),))
    found = of([asked("x", two), asked("y", one)] * 10, tools=Toolset((Tool("f"),), "h")).anatomy
    assert (found.several_calls_share, found.unreadable, found.none_share) == (0.5, 0, 0.0)
    assert next(field for field in found.fields if field.path == "/calls").kind == "free"


def test_a_declared_enum_is_read_from_the_schema():
    schema = {"properties": {"kind": {"enum": ["a", "b", "c"]}}}
    sample = [asked(str(n), Answer(json.dumps({"kind": "abc"[n]}))) for n in range(3)]
    found = of(sample, output_format=OutputFormat("json_schema", schema, hash="h"))
    assert found.anatomy.fields[0].kind == "choice"


def test_keys_made_up_as_they_go_are_bounded_and_free():
    sample = [asked("x", Answer(json.dumps({f"key{n}": 1, "ok": True}))) for n in range(400)]
    found = of(sample).anatomy
    assert len(found.fields) == 200
    assert found.bound_calls < 0.6


def test_sentences_are_named():
    text = (
        "this answer is a sentence of number %d that goes on and on, as sentences will do at times"
    )
    found = of([asked("why", Answer(text % n)) for n in range(50)])
    assert found.prose == ("",)
    assert found.anatomy.bound_calls == 0.0


def test_an_empty_sample_measures_nothing():
    found = of([]).anatomy
    assert (found.sampled, found.fields, found.bound_calls) == (0, (), 0.0)


def test_examples_are_short():
    found = of([asked("word " * 500, Answer(None, (ToolCall("f", '{"a": 1}'),)))])
    [example] = found.examples
    assert len(example) < 420
    assert example.endswith('→ f({"a": 1})')


def test_summaries_that_fill_in_templates_are_derived():
    found = of([asked(text, Answer(summary)) for text, summary in tickets(120)])
    (field,) = found.anatomy.fields
    assert (field.path, field.kind, field.normaliser) == ("", "derived", "template")
    assert len(templates_of(found.anatomy)) == 2
    assert found.anatomy.bound_calls == 1.0 and found.prose == ()


def test_labels_are_no_templates():
    found = of([asked(f"mail {n}", Answer("spam" if n % 3 else "ham")) for n in range(90)])
    assert templates_of(found.anatomy) == ()
