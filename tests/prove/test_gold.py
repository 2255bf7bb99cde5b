"""Whose error it is, by people's word; and a certificate against that word where it is asked."""

import pytest

from stepdown.core.gold import Gold
from stepdown.core.losses import exact_loss
from stepdown.core.proofs import CostRow, Economics
from stepdown.prove.contract import ProofTerms
from stepdown.prove.gold import against_gold, by_gold, qualities_by_gold
from stepdown.prove.proof import prove


def word(item, label, why="random", verdict="corrected"):
    record = {"": label} if verdict in ("accepted", "corrected") else {}
    return Gold(str(item), verdict, record, why=why)


def test_teacher_and_student_are_told_apart(world):
    # name, teacher, student, confidence, people
    rows = [
        ("both", "cards", "cards", 0.9, "cards"),
        ("student", "cards", "loans", 0.9, "loans"),
        ("teacher", "cards", "loans", 0.9, "cards"),
        ("neither", "cards", "loans", 0.9, "other"),
        ("low", "cards", "loans", 0.1, "cards"),
    ]
    examples = [world.example(name, *rest[:3]) for name, *rest in rows]
    examples += [world.example("unjudged", "cards", "loans", 0.9)]
    gold = {name: word(name, people) for name, _, _, _, people in rows}
    gold["unjudged"] = word("unjudged", "", verdict="skipped")
    found = against_gold(world.outcomes(examples), gold, 0.5, exact_loss)
    assert (found.rows, found.skipped) == (5, 1)
    assert (found.teacher.count, found.student.count) == (3, 2)
    assert (found.student_alone, found.teacher_alone, found.both_wrong) == (1, 2, 1)
    assert (found.student_answered.count, found.student_answered.total) == (2, 4)
    assert (found.teacher_answered.count, found.teacher_answered.total) == (2, 4)
    # low is left to the teacher, who is right there.
    assert found.served.count == 3
    assert against_gold(world.outcomes(examples), {}, 0.5, exact_loss) is None
    assert against_gold(world.outcomes(examples), gold, None, exact_loss).served.count == 3


def test_doubted_rows_say_nothing_of_the_others(world):
    examples = [world.example(at, "cards", "cards", 0.9) for at in range(3)]
    gold = {
        "0": word(0, "loans", why="doubt"),
        "1": word(1, "cards"),
        "2": word(2, "", verdict="none"),
    }
    rows = by_gold(examples, gold)
    assert [(row.id, row.known) for row in rows] == [("1", True), ("2", False)]
    found = against_gold(world.outcomes(examples), gold, 0.5, exact_loss)
    assert (found.rows, found.teacher.count, found.student.count) == (2, 1, 1)


def test_a_teacher_that_declined_was_right_where_no_answer_is(world):
    examples = [world.example(0, "", "cards", 0.9, known=False)]
    found = against_gold(
        world.outcomes(examples), {"0": word(0, "", verdict="none")}, 0.5, exact_loss
    )
    assert (found.teacher.count, found.student.count, found.student_answered.total) == (1, 0, 1)


def proven(world, terms, wrong_teacher=0):
    """Prove a student that is always right, with a teacher that is wrong in every 10th row."""
    calibration, test = (
        [
            world.example(
                f"{part}{at}", "loans" if at % 10 < wrong_teacher else "cards", "cards", 0.9, part
            )
            for at in range(size)
        ]
        for part, size in (("calibration", 400), ("test", 100))
    )
    data = world.dataset(calibration, test)
    return prove(world.task(), data, world.student, terms)


def gold_of(*parts):
    names = [f"{part}{at}" for part, size in parts for at in range(size)]
    return {name: word(name, "cards") for name in names}


def test_the_certificate_stays_against_the_teacher_unless_gold_is_the_reference(world):
    gold = gold_of(("calibration", 300), ("test", 80))
    against_teacher = proven(world, ProofTerms(gold=gold), wrong_teacher=1)
    bare = proven(world, ProofTerms(), wrong_teacher=1)
    assert against_teacher.certificate == bare.certificate
    assert against_teacher.test == bare.test
    assert not against_teacher.passed
    assert against_teacher.gold.student_alone == 8
    assert bare.gold is None
    terms = ProofTerms(gold=gold, gold_certifies=True, reference="people's answers (gold)")
    against_people = proven(world, terms, wrong_teacher=1)
    assert against_people.passed
    assert against_people.certificate.rows == 300
    assert against_people.test.rows == 80
    assert against_people.test.joint_risk.count == 0
    assert against_people.reference == "people's answers (gold)"
    qualities = {row.name: row.quality for row in against_people.economics.rows}
    assert qualities["teacher"] == pytest.approx(0.9)
    assert qualities["cascade"] == 1.0
    assert any("People who are wrong" in line for line in against_people.not_covered)
    assert not any("teacher that is wrong" in line for line in against_people.not_covered)


def test_too_few_judged_rows_say_how_to_go_on(world):
    gold = gold_of(("calibration", 20), ("test", 5))
    proof = proven(world, ProofTerms(gold=gold, gold_certifies=True))
    assert not proof.passed
    assert "there are 20" in proof.certificate.why
    assert "judged by people" in proof.certificate.remedy
    empty = proven(world, ProofTerms(gold_certifies=True))
    assert not empty.passed
    assert empty.test.rows == 0


def test_a_quality_that_nobody_judged_is_unknown():
    rows = (CostRow("teacher", 1.0, 1.0), CostRow("cascade", 1.0, 0.9), CostRow("x", 1.0, 0.9))
    made = qualities_by_gold(Economics(rows), None)
    assert [row.quality for row in made.rows] == [None, None, None]
