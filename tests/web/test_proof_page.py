"""The proof page: verdict first, every figure with its interval, refusals well explained."""

import msgspec
import pytest
from tests.web import samples
from tests.web.reading import Page, check

from stepdown.core.proofs import Ceiling, Confusion, GoldResult, Interval, Proof
from stepdown.core.tasks import Task
from stepdown.web.proof_page import proof_page


def made(proof: Proof, task: Task | None = None) -> Page:
    return check(proof_page(proof, task, version="0.1.0"))


@pytest.mark.parametrize(
    "words",
    [
        "Certified: a small model can answer 85.2 % of the calls of “ticket-routing”",
        "With 95 % confidence, at most 2 % of all calls of this task",
        "0.8312",
        "1.96 %",
        "83.9 % to 86.4 % 2,624 of 3,080",
        "Error budget 2 %",
        "Threshold 0.8312: 85.2 % answered, risk 1.3 %",
        "Calibration error 2.1 %",
        "gpt-5.1 (now): $20.20, 100 %",
        "Not in the plot, since a figure is unknown: house-model-7.",
        "whole answer card_arrival card_delivery_estimate 9 2 where is my card",
        "label_0 40 60.0 % 20 4 20.0 %",
        "16 more slices",
        "0.14 ms",
        "$702.11",
        "Same cluster of near-duplicates 0",
        "Inputs made to mislead the model.",
        "d41d8cd98f00",
        "5be1d2aa9001",
        '{"stepdown":"0.1.0"}',
        "Calls in the log 41,200",
    ],
)
def test_a_reader_finds(words: str) -> None:
    assert words in made(samples.proof_certified(), samples.ticket_routing()).text


def test_a_gate_shows_its_cutoff_and_its_cost() -> None:
    proof = samples.proof_certified()
    assert "Too novel" not in made(proof).text
    gate = msgspec.structs.replace(
        proof.certificate, novelty_cutoff=0.9876, novelty_refused=0.034, novelty_cost=0.009
    )
    text = made(msgspec.structs.replace(proof, certificate=gate)).text
    assert "Novelty above which nothing is answered 0.9876" in text
    assert "Too novel among them 3.4 %; costs 0.9 % of the coverage" in text


def test_the_verdict_comes_first() -> None:
    page = made(samples.proof_certified())
    assert page.text.index("Certified") < page.text.index("What the promise rests on")
    assert ("div", {"class": "verdict good"}) in page.elements


def test_a_refusal_says_why_and_what_would_change_it() -> None:
    page = made(samples.proof_refused(), samples.receipt_fields())
    assert "Not certified: every call of “receipt-fields”" in page.text
    assert "Why: With 96 calibration rows" in page.text
    assert "What would change it: Label 53 more calls" in page.text
    assert "No point is known." in page.text
    assert "none passed" in page.text
    assert "Saving a month unknown" in page.text
    assert ("div", {"class": "verdict bad"}) in page.elements


def test_a_selective_proof_shows_the_risk_that_it_bounds() -> None:
    proof = samples.proof_certified()
    certificate = msgspec.structs.replace(proof.certificate, contract="selective")
    page = made(msgspec.structs.replace(proof, certificate=certificate))
    assert "Of the answered, different" in page.text
    assert "Threshold 0.8312: 85.2 % answered, risk 1.5 %" in page.text
    assert "The selective contract" in page.text


def test_a_hostile_proof_stays_text() -> None:
    page = made(samples.proof_hostile())
    assert '<script>alert("x")</script>' in page.text
    assert "{{7*7}}" in page.text


def test_confusions_of_few_labels_become_a_matrix() -> None:
    page = made(samples.proof_certified())
    assert ("table", {"class": "matrix"}) in page.elements
    assert ("td", {"class": "h3"}) in page.elements


def test_confusions_of_many_labels_do_not() -> None:
    proof = samples.proof_certified()
    many = tuple(Confusion("", f"a{n}", f"b{n}", 1, 0) for n in range(50))
    test = msgspec.structs.replace(proof.test, confusions=many)
    page = made(msgspec.structs.replace(proof, test=test))
    assert ("table", {"class": "matrix"}) not in page.elements
    assert "10 rarer pairs are left out" in page.text


def test_peoples_word_and_the_teachers_ceiling_are_told() -> None:
    assert "Whose errors" not in made(samples.proof_certified()).text
    share = Interval(9, 10, 0.9, 0.55, 0.99)
    gold = GoldResult(10, share, share, share, share, share, 3, 2, 1, 4)
    ceiling = Ceiling(share, 10, 3, "<gpt>", (("/a", share), ("/b", share)))
    text = made(msgspec.structs.replace(samples.proof_certified(), gold=gold, ceiling=ceiling)).text
    assert "Of the 4 rows where the teacher is wrong, the student is right in 3" in text
    assert "4 more were shown and not judged" in text
    assert "<gpt> gave the same answer in 90.0 % of the cases" in text
    assert "/b 90.0 %" in text
