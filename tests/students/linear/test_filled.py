"""A student of summaries fills in the teacher's templates, and leaves what fits none."""

from random import Random

import pytest
from tests.audit.tickets import tickets

from stepdown.audit.anatomy import dissect
from stepdown.audit.sample import Sampled
from stepdown.core.calls import NO_TOOLS, PLAIN_TEXT, Answer
from stepdown.core.datasets import Example
from stepdown.core.tasks import Segment, Signature, Task, Verdict
from stepdown.errors import ArtefactError
from stepdown.students.linear import LinearFamily
from stepdown.students.linear.filled import FilledStudent

ODD = ("alas", "no", "clue", "what", "spam", "was", "meant", "here", "today", "again", "sorry")
FAMILY = LinearFamily(static=False)


def answered(count, first=0):
    """Tickets with their summaries; one in ten is spam, and has an answer of no template."""
    for at, (text, summary) in enumerate(tickets(count, first)):
        if at % 10 == 9:
            yield f"{text} #spam", " ".join(Random(at).sample(ODD, 6))
        else:
            yield text, summary


@pytest.fixture(scope="module")
def task():
    sample = [Sampled(("", "", text), Answer(summary)) for text, summary in answered(200)]
    anatomy = dissect(sample, Signature(), NO_TOOLS, PLAIN_TEXT).anatomy
    return Task("t", "summaries", Signature(), anatomy, Verdict("distil"))


@pytest.fixture(scope="module")
def student(task):
    examples = [
        Example(f"e{at}", (Segment("user", text),), {"": summary})
        for at, (text, summary) in enumerate(answered(200))
    ]
    return FAMILY.train(task, examples)


def test_summaries_are_filled_in_word_for_word(student):
    assert isinstance(student, FilledStudent)
    right = sure = 0
    for text, summary in tickets(50, first=5000):
        found = student.predict((Segment("user", text),))
        right += found.record == {"": summary}
        sure += found.answer is not None and found.answer.text == summary
        assert found.answer is None or found.answer.text == found.record[""]
    assert right >= 45 and sure >= 45


def test_an_answer_of_no_template_is_left_to_the_teacher(student):
    left = [
        student.predict((Segment("user", f"{text} #spam"),)) for text, _ in tickets(20, first=7000)
    ]
    assert sum(found.answer is None for found in left) >= 18
    assert all(found.abstained for found in left if found.answer is None)


def test_rehearsed_guesses_are_texts(student):
    assert student.rehearsed
    assert all(guess.record.keys() <= {""} for guess in student.rehearsed.values())


def test_the_student_comes_back_from_its_files(student, task, tmp_path):
    FAMILY.save(student, tmp_path)
    again = FAMILY.load(tmp_path, task)
    for text, _ in tickets(10, first=9000):
        given = (Segment("user", text),)
        assert again.predict(given).record == student.predict(given).record


def test_templates_that_are_damaged_or_anothers_are_refused(student, task, tmp_path):
    FAMILY.save(student, tmp_path)
    (tmp_path / "templates.json").write_bytes(b'[["a", "b"]]')
    with pytest.raises(ArtefactError, match="other templates"):
        FAMILY.load(tmp_path, task)
    (tmp_path / "templates.json").write_bytes(b'{"a"')
    with pytest.raises(ArtefactError, match="can't be read"):
        FAMILY.load(tmp_path, task)
