"""The sentences at the top: they count right, and promise nothing without a certificate."""

import msgspec
import pytest

from stepdown.core.anatomy import Anatomy
from stepdown.core.audits import AuditReport
from stepdown.core.datasets import SplitReport
from stepdown.core.proofs import Certificate, Economics, Interval, Latency, Proof, TestResult
from stepdown.core.summaries import audit_headline, promise, proof_headline, unpriced_lines
from stepdown.core.tasks import Signature, Task, Verdict

ANATOMY = Anatomy("text", (), 0, 0.0, 0.0)


def task(decision: str, calls: int = 10, spend: float | None = None) -> Task:
    verdict = Verdict(decision)  # pyright: ignore[reportArgumentType]
    return Task("id", "name", Signature(), ANATOMY, verdict, calls=calls, spend_usd=spend)


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (AuditReport((), (), 0), "No call could be read, so there is nothing to judge."),
        (AuditReport((), (), 1), "No task was found among 1 call."),
        (
            AuditReport((task("distil", 30), task("not possible", 10)), (), 40),
            "1 of 2 tasks, 75.0 % of the calls, looks fit for a small model.",
        ),
        (
            AuditReport((task("distil", 1, 8.0), task("distil", 1, 1.0)), (), 2, spend_usd=10.0),
            "2 of 2 tasks, 90.0 % of the spend, look fit for a small model.",
        ),
        (
            AuditReport(
                (task("distil", 1, 8.0), task("more data")), (), 2, 10.0, unpriced_models={"m": 1}
            ),
            "1 of 2 tasks, 80.0 % of the known spend, looks fit for a small model.",
        ),
        (
            AuditReport((task("distil", 4),), (), 4, spend_usd=10.0),
            "The only task, 100 % of the calls, looks fit for a small model.",
        ),
        (
            AuditReport((task("more data"), task("not possible")), (), 20),
            "None of the 2 tasks looks fit for a small model yet; 1 could with more calls.",
        ),
        (
            AuditReport((task("not possible"),), (), 20),
            "The only task does not look fit for a small model yet.",
        ),
    ],
)
def test_audit_headline(report: AuditReport, words: str) -> None:
    assert audit_headline(report) == words


def proof(contract: str, *, passed: bool) -> Proof:
    half = Interval(5, 10, 0.5, 0.2, 0.8)
    return Proof(
        id="p",
        task="t",
        task_name="routing",
        student="s",
        family="linear",
        dataset="d",
        passed=passed,
        summary="",
        reference="the teacher",
        certificate=Certificate(
            contract,  # pyright: ignore[reportArgumentType]
            0.02,
            0.95,
            1000,
            0.5 if passed else None,
        ),
        test=TestResult(10, half, half, half, half),
        split=SplitReport(1, 1, 1),
        economics=Economics(),
        latency=Latency(1.0, 2.0, 3, ""),
        made_at="",
    )


def test_a_certified_proof_promises_its_contract() -> None:
    assert promise(proof("joint", passed=True)).startswith(
        "With 95 % confidence, at most 2 % of all calls of this task are"
    )
    assert "of the calls that the small model answers" in promise(proof("selective", passed=True))
    assert "can answer 50.0 % of the calls of “routing”" in proof_headline(
        proof("joint", passed=True)
    )


def test_without_a_certificate_nothing_is_promised() -> None:
    refused = proof("joint", passed=False)
    assert promise(refused).startswith("Nothing is promised")
    assert proof_headline(refused).startswith("Not certified")


def test_a_proof_that_did_not_pass_promises_nothing_whatever_its_threshold() -> None:
    odd = msgspec.structs.replace(proof("joint", passed=True), passed=False)
    assert promise(odd).startswith("Nothing is promised")


def test_what_is_in_no_total_is_said_with_what_is_missing():
    report = AuditReport((), (), 9, unpriced_models={"": 2, "m": 3}, uncounted_models={"g": 4})
    assert list(unpriced_lines(report)) == [
        "No known price, so in no total: m (3 calls), an unnamed model (2 calls).",
        "Without token counts, so in no total: g (4 calls).",
    ]
