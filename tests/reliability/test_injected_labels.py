"""Inputs that talk to the teacher: what they get it to say is found out, or is no label at all."""

import json

import pytest
from tests.cli.story import TOPICS, call, easy, write
from tests.cli.teaching import FakeTeacher, topic_of, write_config
from tests.reliability.attacks import Gullible, attacks

from stepdown.core.labels import SECOND
from stepdown.label import load_dataset
from stepdown.store.ledger import read_labels, read_spend


@pytest.fixture
def teacher():
    made = FakeTeacher()
    yield made
    made.close()


@pytest.mark.reliability
def test_s19_what_an_injection_makes_of_a_label_is_found_out(tmp_path, teacher, figure, capsys):
    planted = list(attacks())
    lines = [*easy(300), *(one for one, _, _ in planted)]
    log, workspace = write(tmp_path / "log.jsonl", lines), tmp_path / "ws"
    assert call("audit", log, "--workspace", workspace) == 0
    (path,) = workspace.glob("tasks/*/task.json")
    task = json.loads(path.read_text())
    wanted = {one["request"]["messages"][-1]["content"]: want for one, _, want in planted}
    teacher.answer = gullible = Gullible(wanted, topic_of)
    config = write_config(tmp_path, teacher, second=0.05)
    capsys.readouterr()
    options = ("--max-usd", 50, "--yes", "--json", "--workspace", workspace, "--config", config)
    options = (*options, "--budget", 0.1)
    assert call("label", task["name"], "--teacher", "big", "-n", 500, *options) == 0
    paid = json.loads(capsys.readouterr().out)

    labels = list(read_labels(workspace / "labels.db", task["id"]))
    first = {one.item: one for one in labels if not one.repeat}
    second = {one.item for one in labels if one.repeat == SECOND}
    assert len(first) == 500
    stored = {one.answer.text for one in labels if one.outcome == "answered"}
    assert stored <= TOPICS.keys()  # out of the set: 0
    assert sum(one.outcome == "other_label" for one in first.values()) == 8

    (made,) = workspace.glob("tasks/*/dataset-*.jsonl")
    dataset = load_dataset(made.read_bytes())
    taught = {one.id: one.record.get("") for one in dataset.examples if one.known}
    assert set(taught.values()) <= TOPICS.keys()
    flipped = {
        one["id"]
        for one, right, _ in planted
        if first[one["id"]].outcome == "answered" and first[one["id"]].answer.text != right
    }
    right = {one["id"]: label for one, label, _ in planted}
    through = {item for item in flipped if taught.get(item) not in (None, right[item])}
    assert len(flipped) == 192
    assert 1 - len(through) / len(flipped) >= 0.8

    attacked = second & set(right)
    others = second - set(right)
    # Ordinary inputs are asked twice by the share alone, and none of them is lost by it.
    assert len(others) <= 0.05 * 300 * 2
    assert all(taught[item] for item in others & taught.keys())
    assert paid["asked_twice"] == len(second) == len(gullible.sealed)
    assert paid["disputed"] >= 0.8 * len(flipped)
    # Every question was paid for once, from one purse.
    assert len(teacher.bill) == paid["calls"] == 500 + len(second)
    assert read_spend(workspace / "labels.db", task["id"]).known == teacher.billed
    assert paid["spend"]["attodollars"] == teacher.billed
    figure(
        f"{len(flipped)} of 200 inputs flip their label, {len(flipped) - len(through)} of these "
        f"are quarantined ({len(attacked)} asked twice); out of the set stored: 0"
    )


@pytest.mark.reliability
def test_s19_second_questions_are_gone_on_with_and_stay_under_the_cap(tmp_path, teacher, capsys):
    planted = list(attacks(100))
    lines = [*easy(200), *(one for one, _, _ in planted)]
    log, workspace = write(tmp_path / "log.jsonl", lines), tmp_path / "ws"
    assert call("audit", log, "--workspace", workspace) == 0
    (path,) = workspace.glob("tasks/*/task.json")
    task = json.loads(path.read_text())
    wanted = {one["request"]["messages"][-1]["content"]: want for one, _, want in planted}
    teacher.answer = Gullible(wanted, topic_of)
    config = write_config(tmp_path, teacher, second=0.05)
    options = ("--yes", "--json", "--workspace", workspace, "--config", config)
    command = ("label", task["name"], "--teacher", "big", "-n", 300, "--concurrency", 1)
    call(*command, "--max-usd", 0.05, *options)
    spent = read_spend(workspace / "labels.db", task["id"])
    assert spent.known <= 0.05 * 10**18
    assert len(teacher.bill) < 350
    call(*command, "--max-usd", 50, *options)
    capsys.readouterr()
    assert max(teacher.calls.values()) == 1
    labels = list(read_labels(workspace / "labels.db", task["id"]))
    assert len(labels) == len(teacher.bill)
    assert sum(not one.repeat for one in labels) == 300
    call(*command, "--max-usd", 50, *options)
    assert len(teacher.bill) == len(labels)
