"""`stepdown run` from a log to a policy, and every way in which it says no."""

import json

from tests.audit.reports import reports
from tests.cli.story import SYSTEM, call, easy, line, write

from stepdown import plugins
from stepdown.cli.options import Session
from stepdown.cli.run import serving
from stepdown.config import Config, TierConfig
from stepdown.core.anatomy import Anatomy
from stepdown.core.tasks import Signature, Task, Verdict
from stepdown.workspace import Workspace

MAKERS = ("openai", "anthropic")


def test_an_easy_task_is_certified_and_promoted(ran):
    (outcome,) = ran.printed["tasks"]
    assert outcome["result"] == "promoted"
    proof = outcome["proof"]
    assert proof["passed"]
    assert proof["certificate"]["bound"] <= 0.02
    assert proof["test"]["coverage"]["estimate"] > 0.8
    assert proof["split"]["shared_inputs"] == proof["split"]["shared_clusters"] == 0
    policy = json.loads((ran.workspace / "policy.json").read_text())
    assert policy["routes"][outcome["task"]]["student"] == proof["student"]


def test_the_workspace_is_laid_out_as_the_design_says(ran):
    (outcome,) = ran.printed["tasks"]
    folder = ran.workspace / "tasks" / outcome["task"]
    assert (folder / "task.json").is_file()
    assert list(folder.glob("dataset-*.jsonl"))
    assert (folder / "students" / outcome["proof"]["student"] / "manifest.json").is_file()
    assert (folder / "proofs" / f"{outcome['proof']['id']}.html").is_file()
    names = {path.suffix for path in ran.workspace.rglob("*") if path.is_file()}
    assert not names & {".pkl", ".pickle", ".joblib"}


def test_random_labels_are_not_certified_and_nothing_is_routed(tmp_path, capsys):
    lines = list(easy(900))
    for number, item in enumerate(lines):
        answer = ["cards", "loans", "travel", "account"][(number * 7919 // 13) % 4]
        item["response"]["choices"][0]["message"]["content"] = answer
    log = write(tmp_path / "log.jsonl", lines)
    assert call("run", log, "--workspace", tmp_path / "w", "--json") == 1
    out, err = capsys.readouterr()
    (outcome,) = json.loads(out)["tasks"]
    assert outcome["result"] == "not certified"
    assert outcome["why"]
    assert f"Next: stepdown label {outcome['name']} --teacher MODEL" in err
    assert not (tmp_path / "w" / "policy.json").exists()


def test_thirty_calls_are_too_few_and_the_missing_ones_are_counted(tmp_path, capsys):
    log = write(tmp_path / "log.jsonl", easy(30))
    assert call("run", log, "--workspace", tmp_path / "w", "--json") == 1
    out, err = capsys.readouterr()
    (outcome,) = json.loads(out)["tasks"]
    assert "Next: stepdown serve" in err
    assert outcome["verdict"] == "more data"
    assert outcome["result"] == "not tried"


def test_prose_answers_are_not_possible(tmp_path, capsys):
    def prose():
        for number, item in enumerate(easy(300)):
            item["response"]["choices"][0]["message"]["content"] = (
                f"Thank you for writing about matter {number}. We looked into {number * 31} of "
                f"your records and decided, after {number % 17} talks, to answer in person."
            )
            yield item

    log = write(tmp_path / "log.jsonl", prose())
    assert call("run", log, "--workspace", tmp_path / "w", "--json") == 1
    (outcome,) = json.loads(capsys.readouterr().out)["tasks"]
    assert outcome["verdict"] == "not possible"


def test_one_label_only_is_a_constant(tmp_path, capsys):
    def same():
        for item in easy(600):
            item["response"]["choices"][0]["message"]["content"] = "cards"
            yield item

    log = write(tmp_path / "log.jsonl", same())
    call("run", log, "--workspace", tmp_path / "w", "--json")
    (outcome,) = json.loads(capsys.readouterr().out)["tasks"]
    assert outcome["result"] in ("promoted", "not tried")


def test_labels_that_differ_in_case_and_space_are_one(tmp_path, capsys):
    def spelt():
        for number, item in enumerate(easy(1200)):
            message = item["response"]["choices"][0]["message"]
            if number % 10 == 0:
                message["content"] = message["content"].upper() + " "
            yield item

    log = write(tmp_path / "log.jsonl", spelt())
    assert call("run", log, "--workspace", tmp_path / "w", "--json") == 0
    (outcome,) = json.loads(capsys.readouterr().out)["tasks"]
    assert outcome["proof"]["test"]["agreement"]["estimate"] > 0.9


def test_two_instructions_are_two_tasks(tmp_path, capsys):
    other = SYSTEM.replace("Answer with", "Answer in capital letters with")
    lines = [
        line(n, item["request"]["messages"][1]["content"], "x", system=other if n % 2 else SYSTEM)
        for n, item in enumerate(easy(400))
    ]
    log = write(tmp_path / "log.jsonl", lines)
    assert call("audit", log, "--workspace", tmp_path / "w", "--json") == 0
    assert [t["calls"] for t in json.loads(capsys.readouterr().out)["tasks"]] == [200, 200]


def test_lines_that_could_not_be_read_are_told(tmp_path, capsys):
    log = write(tmp_path / "log.jsonl", easy(30))
    log.write_text(log.read_text() + '{"request": {"mod\n')
    assert call("run", log, "--workspace", tmp_path / "w", "--json") == 1
    captured = capsys.readouterr()
    printed = json.loads(captured.out)
    assert printed["calls"] == 30
    (source,) = printed["sources"]
    assert source["lines"] == 31
    assert sum(source["rejected"].values()) == 1
    assert "Read 30 calls in 31 lines" in captured.err
    assert "1 rejected line " in captured.err


def test_summaries_are_picked_from_their_inputs_and_judged_by_what_they_lose(
    tmp_path, capsys, monkeypatch
):
    # The next rung would fine-tune a language model for many minutes where its weights are.
    monkeypatch.setattr(plugins, "ladder", lambda: [plugins.family("linear")])
    asked = "Sum up the incident report in one line."
    lines = [line(at, text, said, asked) for at, (text, said) in enumerate(reports(1200))]
    log = write(tmp_path / "log.jsonl", lines)
    space = tmp_path / "w"
    assert call("run", log, "--workspace", space, "--budget", "0.12", "--json") == 0
    (outcome,) = json.loads(capsys.readouterr().out)["tasks"]
    proof = outcome["proof"]
    assert outcome["result"] == "promoted"
    assert proof["certificate"]["graded"]
    assert proof["certificate"]["bound"] <= 0.12
    assert proof["test"]["joint_risk"]["low"] <= 0.12
    page = (space / "tasks" / outcome["task"] / "proofs" / f"{proof['id']}.html").read_text()
    assert "mean loss over all calls" in page
    assert call("prove", outcome["name"], "--workspace", space) == 0
    assert "mean loss" in capsys.readouterr().out


def test_the_next_command_has_the_models_of_the_log_behind_it(tmp_path):
    def command(*names, tiers=None):
        session = Session(Workspace(tmp_path), Config(tiers=tiers or {}))
        anatomy = Anatomy("text", (), 10, 1.0, 1.0)
        models = dict.fromkeys(names, 1)
        task = Task("t", "t", Signature(), anatomy, Verdict("distil"), models=models)
        return serving(session, [task])

    openai, anthropic = (f"--upstream https://api.{maker}.com/v1" for maker in MAKERS)
    assert command("gpt-4o").endswith(openai)
    assert command("claude-opus-4-1").endswith(anthropic)
    assert command("claude-opus-4-1", "gpt-4o").endswith(openai)
    known = {"frontier": TierConfig("https://proxy.example")}
    assert command("claude-opus-4-1", tiers=known) == "stepdown serve"
