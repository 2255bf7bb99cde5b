"""From logged calls to a dataset, or to a sentence that says how many are missing."""

import msgspec
import numpy as np
import pytest

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.calls import Answer, Call, Message, Request
from stepdown.core.labels import Label
from stepdown.core.tasks import Signature, Task, Verdict
from stepdown.errors import NotEnoughData
from stepdown.label.build import build_dataset
from stepdown.label.guard import Guard

TASK = Task(
    "t-1",
    "routing",
    Signature(),
    Anatomy("text", (Field("", "choice"),), 1, 1.0, 1.0),
    Verdict("distil"),
)


def calls(count, seed=1, **other):
    random = np.random.default_rng(seed)
    letters = np.array(list("abcdefghij "))
    for at in range(count):
        text = "".join(random.choice(letters, 50))
        answer = Answer(text="Cards" if at % 3 else "cards ")
        yield Call(f"c{at}", Request("m", (Message("user", text),)), answer, "m", **other)


def test_a_dataset_is_split_merged_and_named():
    dataset = build_dataset(TASK, calls(800), budget=0.02)
    report = dataset.report
    assert dataset.task == "t-1"
    assert len(dataset.id) == 12
    assert report.train + report.calibration + report.test == len(dataset.examples) == 800
    assert report.calibration >= 149
    assert (report.shared_inputs, report.shared_clusters, report.shared_groups) == (0, 0, 0)
    assert dataset.merged == {"cards": "Cards"}
    assert {example.record[""] for example in dataset.examples} == {"Cards"}
    assert build_dataset(TASK, calls(800), budget=0.02) == dataset
    assert build_dataset(TASK, reversed(list(calls(800))), budget=0.02) == dataset
    assert build_dataset(TASK, calls(800, seed=2), budget=0.02).id != dataset.id


def test_above_the_cap_a_sample_is_kept():
    assert len(build_dataset(TASK, calls(900), budget=0.05, guard=Guard(rows=500)).examples) == 500


def test_30_calls_are_too_few_and_it_says_how_many_are_missing():
    with pytest.raises(NotEnoughData, match=r"routing has 30 usable calls.*about 373.*343 more"):
        build_dataset(TASK, calls(30))


def test_a_students_own_answers_are_no_data():
    with pytest.raises(NotEnoughData, match="0 usable calls"):
        build_dataset(TASK, calls(500, tier="small"))


def test_too_few_rows_to_calibrate_with_name_the_budget_that_would_do():
    with pytest.raises(NotEnoughData, match=r"needs at least 149 .*--budget of at least 3\.\d%"):
        build_dataset(TASK, calls(200))


def test_one_group_of_most_rows_is_reported():
    rows = [*calls(500, group="giant"), *calls(400, seed=9)]
    named = [c if c.group else Call(f"x{c.id}", c.request, c.answer, "m") for c in rows]
    report = build_dataset(TASK, named, budget=0.05).report
    assert report.largest_group > 0.5
    assert any(
        "'giant' holds 500 of 900" in note.replace("(", "").replace(")", "")
        for note in report.notes
    )


def test_answers_of_another_shape_stay_as_unknown_rows():
    odd = Call("odd", Request("m", (Message("user", "quite another one"),)), Answer(), "m")
    dataset = build_dataset(TASK, [*calls(400), odd], budget=0.05)
    assert [example.known for example in dataset.examples if example.id == "odd"] == [False]


def paid(item, answer, teacher="t", why="random", repeat=0):
    return Label(
        f"{item}{teacher}{repeat}", "t-1", item, teacher, why, "answered", Answer(answer),
        probability=0.5 if why == "random" else None, repeat=repeat,
    )  # fmt: skip


CLOSED = msgspec.structs.replace(
    TASK,
    anatomy=Anatomy(
        "text", (Field("", "choice", values=("Cards", "loans"), distinct=2),), 1, 1.0, 1.0
    ),
)


def test_a_paid_label_stands_in_for_the_logged_one_and_says_where_it_came_from():
    labels = {"c3": [paid("c3", "loans")], "c4": [paid("c4", "loans", why="novel")]}
    dataset = build_dataset(CLOSED, calls(800), budget=0.05, labels=labels)
    rows = {example.id: example for example in dataset.examples}
    assert rows["c4"].record == {"": "loans"}
    assert (rows["c4"].origin, rows["c4"].split) == ("chosen", "train")
    if "c3" in rows:
        assert (rows["c3"].origin, rows["c3"].probability) == ("random", 0.5)


def test_what_is_disputed_or_no_label_stays_where_it_is_held_out_and_counts_as_wrong():
    names = [f"c{at}" for at in range(0, 800, 2)]
    odd = {
        name: [paid(name, "I'm sorry, I can't help with that.", why="again")] for name in names[::4]
    }
    odd |= {n: [paid(n, "loans", why="again"), paid(n, "Cards", "u", "again")] for n in names[1::4]}
    before = build_dataset(CLOSED, calls(800), budget=0.05)
    after = build_dataset(CLOSED, calls(800), budget=0.05, labels=odd)
    # The same rows are held out as without a label: none was left out for being hard.
    split = {example.id: example.split for example in before.examples}
    assert {example.id: example.split for example in after.examples} == split
    unknown = [example for example in after.examples if not example.known]
    assert {example.id for example in unknown} == set(odd)
    held = sum(example.split != "train" for example in unknown if example.id in names[1::4])
    assert held > 10
    assert any(
        "100 rows with paid answers have no label (labels that contradict each other)" in note
        and f"of {held} held-out ones any answer counts as wrong" in note
        for note in after.report.notes
    )
    assert any("(the teacher declined)" in note for note in after.report.notes)
