"""Three small tasks, one of each shape, with a student trained on each."""

import random

import msgspec
import pytest

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.calls import OutputFormat, Tool
from stepdown.core.datasets import Example
from stepdown.core.tasks import Segment, Signature, Task, Verdict
from stepdown.students.linear import LinearFamily

CITIES = ("Paris", "Berlin", "Madrid", "Oslo", "Rome", "Lisbon", "Vienna", "Prague")
TOPICS = {
    "billing": ("my invoice is wrong", "you charged me twice", "refund my payment"),
    "shipping": ("where is my parcel", "the courier is late", "my box never came"),
    "account": ("I can't log in", "reset my password", "delete my account"),
}


def make_task(shape, fields, schema=None, tools=(), style=None):
    output = OutputFormat("json_schema", schema) if schema else None
    return Task(
        id="t1",
        name="desk",
        signature=Signature(),
        anatomy=Anatomy(shape, tuple(fields), 100, 1.0, 1.0, style=style or {}),
        verdict=Verdict("distil"),
        tools_json=msgspec.json.encode(tools).decode(),
        output_format_json=msgspec.json.encode(output).decode(),
    )


def make_example(at, text, record, **changes):
    return Example(f"e{at}", (Segment("user", text),), record, **changes)


def make_examples(write, count, seed=0):
    chance = random.Random(seed)
    return [make_example(at, *write(chance)) for at in range(count)]


def write_label(chance):
    topic = chance.choice(list(TOPICS))
    opening = chance.choice(("hello", "please help", "hi there", "good day"))
    return f"{opening}, {chance.choice(TOPICS[topic])}", {"": topic}


def write_object(chance):
    topic, city = chance.choice(list(TOPICS)), chance.choice((*CITIES, None))
    urgent = chance.random() < 0.5
    text = f"{chance.choice(TOPICS[topic])}{f' in {city}' if city else ''}"
    return f"{text}, {'as soon as possible' if urgent else 'no hurry'}", {
        "/topic": topic,
        "/place/city": city,
        "/urgent": urgent,
        "/version": 2,
    }


def write_call(chance):
    city, seats = chance.choice(CITIES), chance.choice((1, 2, 3))
    kind = chance.choice(("book", "cancel", "mail", None))
    if kind == "book":
        record = {"/tool": "book", "/book/city": city, "/book/seats": seats}
        if chance.random() < 0.5:
            return f"book {seats} seats to {city} by train", {**record, "/book/by": "train"}
        return f"book {seats} seats to {city}", record
    if kind == "cancel":
        return f"cancel my trip to {city}", {"/tool": "cancel", "/cancel/city": city}
    if kind == "mail":
        body = " ".join(chance.choice(("ask", "tell", "about", "late")) for _ in range(9))
        return f"mail the hotel in {city}", {"/tool": "mail", "/mail/body": f"Dear {body}"}
    return f"how is {city} these days?", {"/tool": None}


OBJECT_SCHEMA = {
    "type": "object",
    "properties": {
        "topic": {"enum": list(TOPICS)},
        "place": {"type": "object", "properties": {"city": {"type": ["string", "null"]}}},
        "urgent": {"type": "boolean"},
        "version": {"type": "integer"},
    },
    "required": ["topic", "place", "urgent", "version"],
}
OBJECT_FIELDS = (
    Field("/topic", "choice", values=tuple(TOPICS), distinct=3, count=150),
    Field("/place/city", "copy", distinct=8, count=150, null=0.1, aligned=1.0),
    Field("/urgent", "choice", "boolean", values=(True, False), distinct=2, count=150),
    Field("/version", "constant", "integer", values=(2,), distinct=1, count=150),
)


def parameters(required=(), **properties):
    return {"type": "object", "properties": properties, "required": list(required)}


TOOLS = (
    Tool(
        "book",
        parameters=parameters(
            ["city", "seats"],
            city={"type": "string"},
            seats={"type": "integer", "enum": [1, 2, 3]},
            by={"type": "string"},
        ),
    ),
    Tool("cancel", parameters=parameters(["city"], city={"type": "string"})),
    Tool("mail", parameters=parameters(["body"], body={"type": "string"})),
)
TOOL_FIELDS = (
    Field("/tool", "choice", values=("book", "cancel", "mail", None), distinct=4, count=300),
    Field("/book/city", "copy", distinct=8, count=75, aligned=1.0),
    Field("/book/seats", "choice", "integer", values=(1, 2, 3), distinct=3, count=75),
    Field("/book/by", "constant", values=("train",), present=0.5, required=False),
    Field("/cancel/city", "copy", distinct=8, count=75, aligned=1.0),
    Field("/mail/body", "free", distinct=75, count=75),
)

TASKS = {
    "text": (make_task("text", [Field("", "choice", distinct=3, count=150)]), write_label, 150),
    "json": (
        make_task(
            "json", OBJECT_FIELDS, OBJECT_SCHEMA, style={"key_order": ["/version", "/topic"]}
        ),
        write_object,
        180,
    ),
    "tool": (make_task("tool", TOOL_FIELDS, tools=TOOLS), write_call, 300),
}


@pytest.fixture(scope="session")
def tasks():
    return {shape: task for shape, (task, _, _) in TASKS.items()}


@pytest.fixture(scope="session")
def examples():
    return {shape: make_examples(write, count) for shape, (_, write, count) in TASKS.items()}


@pytest.fixture(scope="session")
def unseen():
    return {shape: make_examples(write, 60, seed=1) for shape, (_, write, _) in TASKS.items()}


@pytest.fixture(scope="session")
def family():
    return LinearFamily(static=False)


@pytest.fixture(scope="session")
def students(family, tasks, examples):
    return {shape: family.train(tasks[shape], examples[shape]) for shape in TASKS}
