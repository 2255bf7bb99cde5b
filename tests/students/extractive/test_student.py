"""A student says sentences of its input, and leaves what it can't cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.audit.reports import reports

from stepdown.core.digests import claims, summary_loss
from stepdown.core.tasks import Segment
from stepdown.students.extractive.sentences import cut_sentences


def given_text(text):
    return (Segment("user", text),)


def test_new_reports_are_summed_up(reporter):
    losses = []
    for text, summary in reports(60, first=2000):
        found = reporter.predict(given_text(text))
        losses.append(summary_loss(found.answer.text, summary, text, reporter.limits))
        assert found.record == {"": found.answer.text}
    assert sum(losses) / len(losses) < 0.2


def test_it_invents_nothing(reporter):
    for text, _ in reports(20, first=3000):
        said = reporter.predict(given_text(text)).answer.text
        assert all(piece in text for piece in cut_sentences(said))
        assert claims(said) <= claims(text) | {word.lower()[:6] for word in text.split()}


@pytest.mark.parametrize("text", ["", " ", "\n\n", "x" * 5000, "?!"])
def test_what_has_no_sentence_that_fits_is_left_to_the_teacher(reporter, text):
    found = reporter.predict(given_text(text))
    assert found.answer is None
    assert found.abstained
    assert found.confidence == 0.0


@given(st.text(max_size=400))
def test_nothing_is_raised_whatever_is_asked(reporter, text):
    found = reporter.predict(given_text(text))
    assert 0.0 <= found.confidence <= 1.0
    assert 0.0 <= found.novelty <= 1.0
    assert found.answer is None or len(found.answer.text) <= reporter.limits.longest
