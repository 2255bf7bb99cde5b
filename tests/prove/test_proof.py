"""The whole proof: passed, refused, contradicted, and the same every time."""

import msgspec
import pytest

from stepdown.errors import ArtefactError
from stepdown.prove.archive import save_proof
from stepdown.prove.contract import ProofTerms
from stepdown.prove.proof import NOT_COVERED, prove


def proven(world, calibration, test, terms=None, **facts):
    data = world.dataset(world.rows(50, "train", 9), calibration, test)
    return prove(world.task(**facts), data, world.student, terms or ProofTerms(), student_bytes=7)


@pytest.mark.parametrize("contract", ["joint", "selective"])
def test_a_good_student_passes(world, contract):
    terms = ProofTerms(budget=0.03, contract=contract)
    calibration = world.rows(3000, "calibration", 2, scale=0.2)
    proof = proven(world, calibration, world.rows(400, scale=0.2), terms)
    assert proof.passed
    assert proof.certificate.threshold is not None
    assert proof.test.rows == 400
    assert proof.test.coverage.count > 100
    assert proof.summary.startswith("Certified at 3 %")
    assert (proof.student, proof.family, proof.student_bytes) == ("s-1", "oracle", 7)
    assert proof.opened == 1
    assert proof.not_covered == NOT_COVERED
    assert proof.latency.count == 400


def test_c9_the_same_inputs_make_the_same_bytes(world):
    def bare():
        proof = proven(world, world.rows(400, "calibration", 2), world.rows(80))
        latency = msgspec.structs.replace(proof.latency, p50_ms=0.0, p99_ms=0.0)
        return save_proof(msgspec.structs.replace(proof, latency=latency, made_at="", seal=""))

    assert bare() == bare()


def test_the_name_depends_on_what_was_found(world):
    calibration = world.rows(400, "calibration", 2)
    one = proven(world, calibration, world.rows(80))
    other = proven(world, calibration, world.rows(80, seed=5))
    assert one.id != other.id
    assert one.id == proven(world, calibration, world.rows(80)).id


def test_training_rows_are_not_looked_at(world):
    calibration, test = world.rows(400, "calibration", 2), world.rows(80)
    trained = [world.example(at, "cards", "raise", 0.9, "train") for at in range(30)]
    with_train = prove(
        world.task(), world.dataset(trained, calibration, test), world.student, ProofTerms()
    )
    without = prove(world.task(), world.dataset(calibration, test), world.student, ProofTerms())
    assert with_train.certificate.threshold == without.certificate.threshold
    assert with_train.test == without.test


def test_not_certified_is_a_proof_that_explains_itself(world):
    proof = proven(world, world.rows(60, "calibration", 2), world.rows(80))
    assert not proof.passed
    assert proof.certificate.threshold is None
    assert proof.summary.startswith("Not certified. Even without an error")
    assert proof.test.coverage.count == 0
    assert proof.test.agreement.count > 60
    assert proof.economics.saving_usd_month is None


def test_a_test_part_that_contradicts_is_no_pass(world):
    calibration = [
        world.example(f"c{at}", "cards", "cards", 0.9, "calibration") for at in range(300)
    ]
    test = [world.example(at, "cards", "loans", 0.9) for at in range(100)]
    proof = proven(world, calibration, test)
    assert not proof.passed
    assert "contradicts" in proof.certificate.why
    assert "newer calls" in proof.certificate.remedy


def test_a_teacher_that_disagrees_with_itself_is_the_limit(world):
    calibration = world.rows(2000, "calibration", 2, scale=0.0)
    facts = {"self_agreement": 0.85, "self_agreement_repeats": 400}
    proof = proven(world, calibration, world.rows(80), **facts)
    assert not proof.passed
    assert proof.certificate.threshold is None
    assert "same answer in only 85.0 %" in proof.certificate.why
    assert proof.self_agreement == 0.85


def test_r10_a_student_that_raises_abstains_and_is_counted(world):
    test = [world.example(at, "cards", "raise", 0.9) for at in range(10)]
    proof = proven(world, world.rows(400, "calibration", 2), test + world.rows(40))
    assert proof.extra["test_predictions_that_raised"] == 10
    assert proof.test.coverage.count <= 40


class Wary:
    """Answers as the oracle does; what is asked for "test7" and the like is novel."""

    id = "s-2"
    family = "oracle"

    def __init__(self, oracle):
        self.oracle = oracle

    def predict(self, given):
        strange = given[0].text.endswith("7")
        return msgspec.structs.replace(
            self.oracle.predict(given), novelty=0.999 if strange else 0.5
        )


def test_novel_test_rows_count_as_not_answered(world):
    data = world.dataset(world.rows(2000, "calibration", 2), world.rows(400))
    student = Wary(world.student)
    terms = ProofTerms(budget=0.05, novelty=0.2)
    open_gate, gate = (
        prove(world.task(), data, student, msgspec.structs.replace(terms, novelty=share))
        for share in (0.0, 0.2)
    )
    assert gate.certificate.novelty_cutoff == 0.5
    assert gate.certificate.novelty_refused == pytest.approx(0.1, abs=0.001)
    assert gate.certificate.threshold == open_gate.certificate.threshold
    assert gate.test.coverage.count <= open_gate.test.coverage.count - 20
    assert gate.test.joint_risk.count <= open_gate.test.joint_risk.count
    assert gate.test.agreement == open_gate.test.agreement


def test_another_tasks_dataset_is_refused(world):
    data = msgspec.structs.replace(world.dataset(world.rows(5)), task="t-2")
    with pytest.raises(ArtefactError, match="belongs to task t-2"):
        prove(world.task(), data, world.student, ProofTerms())
