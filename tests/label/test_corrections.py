"""People's answers teach; what is held out keeps the teacher's."""

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.datasets import Example
from stepdown.core.gold import Gold
from stepdown.label.corrections import corrected, correction_note

ANATOMY = Anatomy("text", (Field("", "choice"),), 1, 1.0, 1.0)


def row(name, split="train", **other):
    return Example(name, (), {"": "a"}, split=split, soft={"a": 0.9, "b": 0.1}, **other)


def test_training_answers_are_replaced_and_held_out_ones_kept():
    rows = [row("a"), row("b"), row("c"), row("d"), row("e", "test"), row("f", "calibration")]
    gold = {
        "a": Gold("a", "corrected", {"": "B"}),
        "b": Gold("b", "none"),
        "c": Gold("c", "skipped"),
        "d": Gold("d", "accepted", {"": "a"}),
        "e": Gold("e", "corrected", {"": "b"}),
        "f": Gold("f", "none"),
    }
    made = corrected(rows, gold, ANATOMY, {"B": "b"})
    assert [(e.record, e.known) for e in made[:2]] == [({"": "b"}, True), ({}, False)]
    assert (made[0].soft, made[1].soft) == ({}, {})
    assert list(made[2:]) == rows[2:]
    assert correction_note(rows, made)[0].startswith("1 training answers")
    assert "1 rows have no right answer" in correction_note(rows, made)[0]
    assert correction_note(rows, rows) == ()


def test_an_answer_that_could_not_be_read_becomes_one():
    rows = [Example("a", (), {}, known=False)]
    made = corrected(rows, {"a": Gold("a", "corrected", {"": "b"})}, ANATOMY, {})
    assert (made[0].record, made[0].known) == ({"": "b"}, True)
