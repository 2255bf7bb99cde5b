"""Mining a sample: every call is in exactly one task, and fits its templates."""

from tests.audit.prompts import calls_of

from stepdown.audit.mining import mine
from stepdown.core.tasks import texts
from stepdown.core.templates import match

LAYOUTS = [
    ("You sort the mail of a shop. Today is {date}.", "{text}"),
    ("", "Classify the following message of {name}:\n\n{text}\n\nLabel:"),
    ("", "{text}"),
]


def test_every_row_is_in_one_task_that_fits_it():
    said = [texts(call.request) for call, _ in calls_of(LAYOUTS, 60)]
    mined = mine(said)
    rows = sorted(row for task in mined for row in task.rows)
    assert rows == list(range(len(said)))
    for task in mined:
        for row in task.rows:
            for template, text in zip(task.templates, said[row], strict=True):
                assert match(template, text) is not None


def test_a_few_unlike_texts_share_nothing():
    mined = mine([("", "", text) for text in ("one", "two three", "quite another thing")])
    assert sum(len(task.rows) for task in mined) == 3
