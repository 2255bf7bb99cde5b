"""`--repeats` and `--also-teacher`: what is asked again, under one cap, and what comes of it."""

import pytest
from tests.cli.labelling.test_asking import Desk, audited, desk, teacher
from tests.cli.story import TOPICS, call
from tests.cli.teaching import PRICED, WRITTEN, topic_of

from stepdown.audit.prices import ATTODOLLARS
from stepdown.cli.labelling.repeats import ALONE, Again
from stepdown.cli.labelling.runs import planned_runs
from stepdown.workspace.ceilings import read_ceiling

__all__ = ["audited", "desk", "teacher"]


def ceiling(desk: Desk):
    return read_ceiling(desk.workspace / "tasks" / desk.task["id"] / "ceiling.json")


class Fickle:
    """Answers every fifth message differently each time that it is asked."""

    def __init__(self, every=5):
        self.every = every
        self.asked = {}

    def __call__(self, text):
        at = self.asked[text] = self.asked.get(text, -1) + 1
        if int(text.split()[-1]) % self.every:
            return topic_of(text)
        return sorted(TOPICS)[at % len(TOPICS)]


def test_the_runs_of_a_command():
    runs = planned_runs("m", 2, ("n", "m", "n")).runs
    assert runs == (("m", ALONE), ("m", Again(repeats=2)), ("n", Again(beside="m")))
    assert planned_runs("m", 0, ()).runs == (("m", ALONE),)


def test_a_teacher_that_agrees_with_itself_has_a_ceiling(desk, teacher):
    told = desk("--max-usd", "9", "-n", "50", "--repeats", "1", "--budget", "0.05")
    assert desk.status == 0
    (again,) = told["asked_again"]
    # The log's answers are another model's: it takes two of this one's.
    assert again["calls"] == 200
    made = ceiling(desk)
    assert (made.items, made.asked, made.teacher) == (100, 2, "big")
    assert made.agreement.estimate == 1.0
    assert "The teacher agrees with itself: 100 %  (96.4 to 100.0 %; 100 items by big" in desk.said
    spent = again["spend"]["attodollars"] + told["spend"]["attodollars"]
    assert spent == teacher.billed
    more = desk("--max-usd", "9", "-n", "50", "--repeats", "1", "--budget", "0.05")
    assert (more["calls"], more["asked_again"][0]["calls"]) == (0, 0)
    third = desk("--max-usd", "9", "-n", "50", "--repeats", "2", "--budget", "0.05")
    assert third["asked_again"][0]["calls"] == 100
    assert ceiling(desk).asked == 3


def test_a_budget_below_the_disagreement_is_refused_before_the_rest_is_paid(desk, teacher):
    teacher.answer = Fickle()
    told = desk("--max-usd", "9", "-n", "50", "--repeats", "1", "--budget", "0.02")
    assert desk.status == 1
    assert "disagrees with itself in at least" in told["error"]["message"]
    assert len(teacher.bill) == 200
    assert 0.6 < ceiling(desk).agreement.estimate < 0.95
    # It is known now: nothing more is asked until a larger budget is stated.
    desk("--max-usd", "9", "-n", "50", "--budget", "0.02")
    assert (desk.status, len(teacher.bill)) == (1, 200)
    desk("--max-usd", "9", "-n", "50", "--budget", "0.4")
    assert desk.status == 0
    # Some of the 50 were among the sample: their answers are there.
    assert 200 < len(teacher.bill) < 250


def test_two_teachers_vote_and_what_they_dispute_teaches_nothing(desk, teacher):
    teacher.answer = Fickle()
    told = desk("--max-usd", "9", "-n", "120", "--also-teacher", "other", "--budget", "0.05")
    assert desk.status == 0
    assert [one["teacher"] for one in told["asked_again"]] == ["other"]
    assert told["asked_again"][0]["calls"] == 120
    labels = desk.labels()
    assert len(labels) == 240
    assert {one.teacher for one in labels} == {"big", "other"}
    assert any("labels that contradict each other" in note for note in told["split"]["notes"])
    again = desk("--max-usd", "9", "-n", "120", "--also-teacher", "other", "--budget", "0.05")
    assert (again["calls"], again["asked_again"][0]["calls"]) == (0, 0)


def test_teachers_by_another_name_are_the_models_behind_it(desk, teacher, tmp_path):
    config = desk.config.read_text()
    desk.config.write_text(
        config
        + "".join(
            f'\n[teachers.{name}]\nbase_url = "{teacher.url}"\nmodel = "{model}"\n{PRICED}'
            for name, model in (("big", "huge"), ("other", "small"))
        )
    )
    teacher.answer = Fickle()
    options = ("--max-usd", "9", "-n", "30", "--also-teacher", "other")
    told = desk(*options, "--budget", "0.4", "--repeats", "1")
    assert desk.status == 0
    assert {one.teacher for one in desk.labels()} == {"huge", "small"}
    assert told["asked_again"][1]["calls"] == 30
    assert ceiling(desk).teacher == "huge"
    desk(*options, "--budget", "0.02")
    assert desk.status == 1
    assert "disagrees with itself" in desk.said


@pytest.mark.parametrize("options", [(), ("--repeats", "1"), ("--dry-run",), ("--batch",)])
def test_another_teacher_without_a_price_is_refused_before_anything_is_paid(desk, teacher, options):
    config = desk.config.read_text()
    desk.config.write_text(f'{config}\n[teachers."b.1"]\nbase_url = "{teacher.url}"\n')
    also = ("--also-teacher", "other", "--also-teacher", "b.1")
    told = desk("--max-usd", "9", "-n", "5", *also, *options)
    assert (desk.status, teacher.bill) == (2, [])
    assert told["error"]["message"] == (
        "Nobody knows what b.1 charges, so --max-usd can't be kept; set usd_per_million_input and "
        'usd_per_million_output under [teachers."b.1"] in stepdown.toml.'
    )


def test_a_price_of_the_first_teachers_own_is_not_asked_for_the_second(desk, teacher):
    config = desk.config.read_text()
    own = f'[teachers.big]\nbase_url = "{teacher.url}"\n{PRICED}'
    desk.config.write_text(config.replace(PRICED, "") + own)
    told = desk("--max-usd", "9", "-n", "5", "--also-teacher", "other")
    assert (desk.status, teacher.bill) == (2, [])
    assert "under [teachers.other] in stepdown.toml" in told["error"]["message"]


def test_one_cap_holds_for_all_runs_of_a_command(desk, teacher):
    desk("--max-usd", "9", "-n", "1", "--repeats", "1", "--budget", "0.05")
    spent, asked = teacher.billed, len(teacher.bill)
    most = max(cost for _, cost in teacher.bill)
    # What a question may cost at most stays free under the cap; beside it there is room for ten.
    bound = 4096 * WRITTEN + most
    cap = (spent + bound + 10 * most) / ATTODOLLARS
    options = ("-n", "120", "--repeats", "1", "--also-teacher", "other", "--budget", "0.05")
    for _ in range(2):
        desk("--max-usd", repr(cap), *options)
        assert "The cap is reached" in desk.said
        assert teacher.billed <= cap * ATTODOLLARS
    assert 5 < len(teacher.bill) - asked < 40


def test_a_run_beside_that_meets_the_cap_keeps_what_is_paid_for(desk, teacher):
    desk("-n", "10", "--max-usd", "5")
    most = max(cost for _, cost in teacher.bill)
    # What a question may cost at most stays free under the cap; beside it there is room for 30.
    cap = (teacher.billed + 4096 * WRITTEN + 20 * most) / ATTODOLLARS
    told = desk("-n", "20", "--also-teacher", "other", "--max-usd", repr(cap))
    (beside,) = told["asked_again"]
    assert (desk.status, told["calls"], told["labels"]) == (0, 10, 20)
    assert 0 < beside["calls"] < 20
    assert (beside["stopped"], beside["left"]) == ("the cap is reached", 20 - beside["calls"])
    assert told["dataset"]
    assert "stepdown train" in desk.said
    total = told["total"]
    assert total["calls"] == len(teacher.bill) - 10
    assert total["spend"]["attodollars"] == teacher.billed
    assert total["spend"]["at_most_usd"] <= cap
    assert "All 2 runs of this command" in desk.said


def test_a_run_beside_that_ends_otherwise_tells_what_is_paid_for(desk, teacher):
    teacher.after = lambda calls: teacher.script.update({"*": ["401"] * 9} if calls == 20 else {})
    told = desk("-n", "20", "--also-teacher", "other", "--max-usd", "5")
    assert (desk.status, told["dataset"]) == (1, None)
    assert "does not know the key" in told["why"]
    assert told["total"]["spend"]["attodollars"] == teacher.billed > 0


def test_what_it_would_cost_is_said(desk, teacher):
    desk("--dry-run", "-n", "50", "--also-teacher", "other")
    assert "--repeats 1 would, with about 100 questions more: $" in desk.said
    assert "other is asked the same 50 questions" in desk.said
    desk("--dry-run", "-n", "50", "--repeats", "2")
    assert "300 questions to big" in desk.said
    assert teacher.bill == []


@pytest.mark.parametrize("options", [("--repeats", "1"), ("--also-teacher", "x")])
def test_they_go_with_a_teacher(desk, options):
    assert call("label", desk.task["name"], "--workspace", desk.workspace, *options) == 2
