"""Summaries are told from labels, from replies and from free writing."""

from tests.audit.reports import reports
from tests.audit.tickets import tickets

from stepdown.audit.extracts import find_extracts


def of(pairs):
    texts, answers = zip(*pairs, strict=True)
    return find_extracts(answers, texts)


def test_summaries_are_found_with_their_length():
    pairs = reports(100)
    found = of(pairs)
    assert found.covered > 0.9
    sizes = sorted(len(summary) for _, summary in pairs)
    assert sizes[90] <= found.limits.longest <= sizes[99]


def test_writing_that_does_not_come_from_the_input_is_none():
    others = [summary for _, summary in reports(100, first=500)]
    pairs = [(text, other) for (text, _), other in zip(reports(100), others, strict=True)]
    assert of(pairs) is None


def test_rewriting_as_long_as_the_input_is_none():
    assert of([(text, text.replace(".", "!")) for text, _ in reports(60)]) is None


def test_labels_and_few_rows_are_none():
    assert of([(text, "outage") for text, _ in reports(60)]) is None
    assert of(reports(19)) is None
    # Tickets are hardly longer than what is said of them.
    assert of(tickets(100)) is None
