"""Fields, slices and confusions: worst first, with an input to read."""

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.calls import Answer
from stepdown.core.datasets import Example
from stepdown.core.ports import Prediction
from stepdown.core.tasks import Segment
from stepdown.prove.outcomes import Outcome
from stepdown.prove.tables import confusions, field_rows, slice_rows

ANATOMY = Anatomy("tool", (Field("/tool", "choice"), Field("/Play/artist", "copy")), 10, 1.0, 1.0)


def outcome(name, said, got, score=0.9, known=True, text="play it"):
    given = (Segment("user", text),)
    return Outcome(
        Example(name, given, said, known=known),
        Prediction(got, Answer(text="x"), score),
        score,
        known and said == got,
    )


OUTCOMES = [
    outcome(
        "1", {"/tool": "Play", "/Play/artist": "Abba"}, {"/tool": "Play", "/Play/artist": "Ab"}
    ),
    outcome(
        "2",
        {"/tool": "Play", "/Play/artist": "Cher"},
        {"/tool": "Play", "/Play/artist": "Cher"},
        0.4,
    ),
    outcome("3", {"/tool": None}, {"/tool": "Play"}, 0.95, text="hello\n" * 40),
    outcome("4", {"/tool": "Stop"}, {"/tool": "Stop", "/Stop/now": True}, 0.2),
    outcome("5", {}, {"/tool": "Play"}, 0.1, known=False),
]


def test_fields_count_rows_where_either_side_has_a_value():
    rows = {row.path: row for row in field_rows(OUTCOMES, ANATOMY, 0.5)}
    assert list(rows) == ["/tool", "/Play/artist", "/Stop/now"]
    assert (rows["/tool"].rows, rows["/tool"].agreement) == (5, 3 / 5)
    assert rows["/tool"].answered_agreement == 1 / 2
    assert (rows["/Play/artist"].rows, rows["/Play/artist"].agreement) == (2, 0.5)
    assert (rows["/Stop/now"].kind, rows["/Stop/now"].answered_agreement) == ("unlisted", None)


def test_slices_come_worst_first():
    rows = slice_rows(OUTCOMES, ANATOMY, 0.5)
    assert [row.slice for row in rows] == [
        "(nothing)",
        "Play",
        "(an answer of another shape)",
        "Stop",
    ]
    assert (rows[1].rows, rows[1].agreement, rows[1].answered, rows[1].answered_wrong) == (
        2,
        0.5,
        1,
        1,
    )
    free = Anatomy("text", (Field("", "free"),), 1, 0.0, 0.0)
    assert slice_rows(OUTCOMES, free, 0.5) == ()


def test_confusions_put_choices_and_live_errors_first():
    found = confusions(OUTCOMES, ANATOMY, 0.5)
    assert [(c.field, c.teacher, c.student, c.count, c.answered) for c in found] == [
        ("/tool", "(nothing)", "Play", 1, 1),
        ("/Play/artist", "Abba", "Ab", 1, 1),
        ("/Stop/now", "(nothing)", "true", 1, 0),
    ]
    assert len(found[0].example) == 120
    assert found[0].example.endswith("…")
    assert "\n" not in found[0].example


def test_pairs_are_counted_and_their_first_example_kept(world):
    outcomes = world.outcomes(
        [world.example(at, "cards", "loans", 0.9) for at in (3, 1, 2)]
        + [world.example(9, "cards", "other", 0.9)]
    )
    first, second = confusions(outcomes, world.task().anatomy, 0.5)
    assert (first.student, first.count, second.count) == ("loans", 3, 1)
    assert first.example.endswith("for 1")
