"""`stepdown prove` as a command: certified, and not."""

import json

from tests.cli.story import call

from stepdown.core.gold import Gold
from stepdown.label import load_dataset
from stepdown.label.review import random_questions
from stepdown.workspace import Workspace
from stepdown.workspace.gold import add_gold


def test_the_summary_and_the_page(ran, space, tmp_path, capsys):
    (outcome,) = ran.printed["tasks"]
    page = tmp_path / "proof.html"
    assert call("prove", outcome["name"], "--workspace", space, "--html", page) == 0
    captured = capsys.readouterr()
    assert "ertified" in captured.out
    assert max(map(len, captured.out.splitlines())) <= 100
    assert f"stepdown promote {outcome['name']}" in captured.err
    assert "<svg" in page.read_text("utf-8")


def test_the_same_proof_twice_has_one_id(ran, space, capsys):
    (outcome,) = ran.printed["tasks"]
    assert call("prove", outcome["name"], "--workspace", space, "--json") == 0
    assert json.loads(capsys.readouterr().out)["id"] == outcome["proof"]["id"]


def test_a_budget_that_the_rows_cannot_certify_is_exit_1_with_a_remedy(ran, space, capsys):
    (outcome,) = ran.printed["tasks"]
    arguments = ("prove", outcome["name"], "--workspace", space, "--budget", "0.0005", "--json")
    assert call(*arguments) == 1
    proof = json.loads(capsys.readouterr().out)
    assert not proof["passed"]
    assert proof["certificate"]["threshold"] is None
    assert proof["certificate"]["why"]
    assert proof["certificate"]["remedy"]


def test_the_selective_contract(ran, space, capsys):
    (outcome,) = ran.printed["tasks"]
    arguments = ("prove", outcome["name"], "--workspace", space, "--contract", "selective")
    call(*arguments, "--budget", "0.05", "--json")
    assert json.loads(capsys.readouterr().out)["certificate"]["contract"] == "selective"


def test_gold_tells_the_teachers_errors_from_the_students(space, capsys):
    task = Workspace(space).tasks()[0]
    folder = space / "tasks" / task.id
    dataset = load_dataset(max(folder.glob("dataset-*.jsonl")).read_bytes())
    asked = random_questions(dataset, {}, 500)
    for number, question in enumerate(asked):
        other = {"": "loans" if question.said[""] != "loans" else "cards"}
        record = other if number % 10 == 0 else question.said
        verdict = "corrected" if number % 10 == 0 else "accepted"
        add_gold(folder / "gold.jsonl", Gold(question.item, verdict, record, why="random"))
    assert call("prove", task.name, "--workspace", space, "--json") == 0
    proof = json.loads(capsys.readouterr().out)
    assert proof["reference"] == "the teacher's logged answers"
    assert proof["gold"]["rows"] == proof["test"]["rows"]
    assert 0.8 < proof["gold"]["teacher"]["estimate"] < 0.95
    call("prove", task.name, "--workspace", space, "--gold")
    told = " ".join(capsys.readouterr().out.split())
    assert "people's answers (gold)" in told
    assert "where the teacher is wrong, the student is right in 0" in told
