"""Training: what held-out rows decide, and what odd data leads to."""

from itertools import islice
from random import Random

import msgspec
import pytest
from tests.students.windows.contracts import make_contracts

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.datasets import Example
from stepdown.core.records import same_record
from stepdown.core.tasks import Segment, Signature, Task, Verdict
from stepdown.errors import NotEnoughData
from stepdown.students.linear import LinearFamily
from stepdown.students.linear.form import GATE
from stepdown.students.linear.student import LinearStudent


def with_fields(task, *fields):
    anatomy = msgspec.structs.replace(task.anatomy, fields=fields)
    return msgspec.structs.replace(task, anatomy=anatomy)


def test_confidence_separates_right_from_wrong(family, tasks, examples, unseen):
    # A third of the rows has a label that the text does not tell.
    noisy = [
        msgspec.structs.replace(example, record={"": "shipping"})
        if "billing" in example.record.values() and at % 2
        else example
        for at, example in enumerate(examples["text"] * 3)
    ]
    noisy = [msgspec.structs.replace(e, id=f"n{at}") for at, e in enumerate(noisy)]
    student = family.train(tasks["text"], noisy)
    scores = {True: [], False: []}
    for example in unseen["text"]:
        scores[example.record[""] == "billing"].append(student.predict(example.input).confidence)
    assert sum(scores[True]) / len(scores[True]) < 0.75
    assert max(scores[True]) < sum(scores[False]) / len(scores[False])


def test_rare_labels_are_kept(family, tasks, examples):
    odd = msgspec.structs.replace(examples["text"][0], id="odd", record={"": "once"})
    student = family.train(tasks["text"], [*examples["text"], odd])
    assert "once" in student.heads[""].labels.values


def test_unreadable_answers_are_recognised(family, tasks, examples, unseen):
    unreadable = [
        msgspec.structs.replace(example, id=f"u{at}", record={}, known=False)
        for at, example in enumerate(unseen["tool"])
    ]
    student = family.train(tasks["text"], [*examples["text"], *unreadable])
    assert GATE in student.heads
    for example in unreadable:
        guess = student.predict(example.input)
        assert guess.answer is None
        assert GATE not in guess.fields
    answered = [student.predict(example.input).answer for example in unseen["text"]]
    assert sum(answer is not None for answer in answered) > 50


def test_a_tool_with_too_few_rows_is_left_to_the_teacher(family, tasks, examples):
    cancels = [e for e in examples["tool"] if e.record["/tool"] == "cancel"]
    others = [e for e in examples["tool"] if e.record["/tool"] != "cancel"]
    student = family.train(tasks["tool"], [*others, *cancels[:5]])
    assert "too few" in student.form.scopes["cancel"].refused
    assert student.form.scopes["book"].refused == ""


def test_values_that_stand_in_no_input_are_refused(family, tasks, examples):
    task = with_fields(tasks["json"], Field("/made", "copy", distinct=99, count=150, aligned=0.9))
    made = [
        msgspec.structs.replace(e, record={"/made": f"{at:x}" * 5})
        for at, e in enumerate(examples["json"])
    ]
    with pytest.raises(NotEnoughData, match="stands in its input"):
        family.train(task, made)


def test_a_copied_label_is_read_from_the_text(family, tasks, examples, unseen):
    task = with_fields(tasks["text"], Field("", "copy", distinct=50, count=150, aligned=1.0))
    last = [
        msgspec.structs.replace(e, record={"": e.input[0].text.rpartition(", ")[2]})
        for e in (*examples["text"], *unseen["text"])
    ]
    student = family.train(task, last[:-60])
    right = [
        same_record(student.predict(example.input).record, example.record) for example in last[-60:]
    ]
    assert sum(right) > 55


READ = tuple(Field(path, "copy", distinct=8, count=60, aligned=1.0) for path in ("/law", "/date"))


def a_task():
    anatomy = Anatomy("json", READ, 60, 1.0, 1.0)
    return Task("t", "contracts", Signature(), anatomy, Verdict("distil"))


@pytest.fixture(scope="module")
def reader():
    return LinearFamily(static=False).train(a_task(), make_contracts(60))


def test_long_documents_are_read_by_their_windows(reader):
    assert reader.windows is not None
    examples = make_contracts(20, first=900)
    found = [(reader.predict(example.input), example.record) for example in examples]
    right = sum(prediction.record == record for prediction, record in found)
    assert right >= 17


def test_a_reader_of_long_documents_is_saved_whole(reader, tmp_path):
    task = a_task()
    LinearFamily().save(reader, tmp_path)
    again = LinearFamily().load(tmp_path, task)
    given = make_contracts(1, first=950)[0].input
    assert again.predict(given).record == reader.predict(given).record
    assert isinstance(again, LinearStudent) and again.windows.paths == reader.windows.paths


def kind_of(number):
    return Random(number).randrange(4)


def terms_of(kind, count=20):
    numbers = (number for number in range(1000, 2000) if kind_of(number) == kind)
    return [write_term(number) for number in islice(numbers, count)]


def write_term(number):
    """A contract whose end is "perpetual", absent, a date in it, or a date that is not in it."""
    kind = kind_of(number)
    day = f"2019-{number % 12 + 1:02}-{number % 28 + 1:02}"
    says = {
        0: ("has no end", "perpetual"),
        1: ("is not said to end", None),
        2: (f"ends on {day}", day),
        3: (f"began on {day} and runs for {number % 7 + 2} years", f"20{30 + number % 60}-01-01"),
    }
    text, end = says[kind]
    return Example(
        f"m{number}", (Segment("user", f"Contract {number}: it {text}."),), {"/end": end}
    )


@pytest.fixture(scope="module")
def terms():
    field = Field("/end", "free", distinct=150, count=240, null=0.25, aligned=0.33)
    anatomy = Anatomy("json", (field,), 240, 0.5, 0.5)
    task = Task("t", "terms", Signature(), anatomy, Verdict("distil"))
    return LinearFamily(static=False).train(task, [write_term(at) for at in range(240)])


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_field_partly_chosen_and_partly_copied_is_both(terms, kind):
    examples = terms_of(kind)
    found = [terms.predict(example.input).record.get("/end") for example in examples]
    right = sum(a == example.record["/end"] for a, example in zip(found, examples, strict=True))
    assert right >= 17


def test_what_can_be_neither_chosen_nor_copied_is_left_or_doubted(terms):
    found = [terms.predict(example.input) for example in terms_of(3)]
    sure = [terms.predict(example.input) for example in terms_of(0)]
    doubted = sum(p.answer is None or p.confidence < 0.7 for p in found)
    assert doubted >= 17
    assert sum(p.answer is not None and p.confidence > 0.7 for p in sure) >= 17
