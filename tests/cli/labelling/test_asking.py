"""`stepdown label --teacher`: paid answers from a teacher on a socket, counted, capped, resumed."""

import json
import os
import signal
import time
from collections import Counter

import pytest
from tests.cli.story import call, easy, write
from tests.cli.teaching import PRICED, FakeTeacher, command, write_config
from tests.core.test_redaction import CREDENTIALS

from stepdown.audit.prices import ATTODOLLARS
from stepdown.store.cleaning import drop_responses
from stepdown.store.ledger import read_labels, read_spend


@pytest.fixture
def teacher():
    made = FakeTeacher()
    yield made
    made.close()


@pytest.fixture(scope="session")
def audited(tmp_path_factory):
    """A workspace of 450 calls that was audited and nothing more."""
    folder = tmp_path_factory.mktemp("audited")
    log = write(folder / "log.jsonl", easy(450))
    assert call("audit", log, "--workspace", folder / "ws") == 0
    return folder


@pytest.fixture
def desk(audited, tmp_path, teacher, capsys):
    """A function of the command's options that labels with the teacher; returns what it printed."""
    workspace = tmp_path / "ws"
    task = next(audited.glob("ws/tasks/*/task.json"))
    kept = workspace / task.relative_to(audited / "ws")
    kept.parent.mkdir(parents=True)
    kept.write_bytes(task.read_bytes())
    return Desk(workspace, json.loads(task.read_text()), write_config(tmp_path, teacher), capsys)


class Desk:
    def __init__(self, workspace, task, config, capsys):
        self.workspace = workspace
        self.task = task
        self.config = config
        self.capsys = capsys
        self.status = 0

    @property
    def ledger(self):
        return self.workspace / "labels.db"

    def arguments(self, *options):
        at = ("--workspace", self.workspace, "--config", self.config)
        return ("label", self.task["name"], "--teacher", "big", *at, *options)

    def __call__(self, *options):
        self.capsys.readouterr()
        self.status = call(*self.arguments("--json", *options))
        printed = self.capsys.readouterr()
        self.said = printed.err
        return json.loads(printed.out)

    def labels(self):
        return list(read_labels(self.ledger, self.task["id"]))


MESSAGES = [line["request"]["messages"][-1]["content"] for line in easy(450)]


def message(number):
    return MESSAGES[number]


def dollars(billed):
    return billed / ATTODOLLARS


def test_answers_are_paid_for_once_and_become_a_dataset(desk, teacher):
    told = desk("--max-usd", "5", "-n", "120")
    assert (desk.status, told["calls"], told["outcomes"]) == (0, 120, {"answered": 120})
    assert told["spend"]["attodollars"] == teacher.billed
    assert told["dataset"]
    assert "120 questions to big" in desk.said
    assert "stepdown train" in desk.said
    assert {label.cost for label in desk.labels()} == {cost for _, cost in teacher.bill}
    again = desk("--max-usd", "5", "-n", "120")
    assert (desk.status, again["calls"], again["labels"]) == (0, 0, 120)
    more = desk("--max-usd", "5", "-n", "150")
    assert (more["calls"], more["labels"]) == (30, 150)
    assert more["spend"]["attodollars"] == teacher.billed
    assert set(teacher.calls.values()) == {1}


def test_a_dry_run_asks_and_keeps_nothing(desk, teacher):
    told = desk("--dry-run", "-n", "50")
    assert (desk.status, told["items"], told["had"]) == (0, 50, 0)
    assert 0 < told["expected_usd"] <= told["at_most_usd"]
    assert teacher.bill == []
    assert desk.labels() == []


def test_the_next_command_asks_for_the_same(desk, teacher):
    desk("--dry-run", "-n", "50", "--synthetic", "9", "--max-usd", "0.000001")
    assert " --teacher big -n 50 --synthetic 9 --max-usd 0.000001 --workspace" in one_line(
        desk.said
    )
    assert one_line(desk.said).endswith(f" --config {desk.config}")
    desk("--dry-run")
    assert " --teacher big --max-usd X --workspace" in one_line(desk.said)
    desk("-n", "120", "--max-usd", "0.0001")
    # The cap that is reached is not named again.
    assert " --teacher big -n 120 --max-usd X --workspace" in one_line(desk.said)


def one_line(text):
    return " ".join(text.split())


def test_nobody_to_ask_and_no_cap_is_refused(desk, teacher):
    assert desk("-n", "5")["error"]["type"] == "UsageError"
    assert (desk.status, teacher.bill) == (2, [])
    desk("-n", "5", "--yes")
    assert (desk.status, len(teacher.bill)) == (0, 5)


def test_on_a_terminal_it_asks_first(desk, teacher, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("click.confirm", lambda *words, **more: False)
    assert "nothing was spent" in desk("-n", "5")["error"]["message"]
    assert (desk.status, teacher.bill) == (1, [])
    monkeypatch.setattr("click.confirm", lambda *words, **more: True)
    desk("-n", "5")
    assert (desk.status, len(teacher.bill)) == (0, 5)


def test_the_cap_holds_over_all_sittings(desk, teacher):
    first = desk("--max-usd", "0.05", "-n", "120", "--concurrency", "4")
    assert first["stopped"] == "the cap is reached"
    assert first["spend"]["usd"] == dollars(teacher.billed) <= 0.05
    calls = len(teacher.bill)
    assert 0 < calls < 120
    second = desk("--max-usd", "0.05", "-n", "120")
    assert (second["calls"], desk.status, len(teacher.bill)) == (0, 1, calls)
    desk("--max-usd", "5", "-n", "120")
    assert len(teacher.bill) == 120
    assert set(teacher.calls.values()) == {1}


@pytest.mark.parametrize("amount", ["nan", "inf", "1e400"])
def test_a_cap_is_an_amount(desk, teacher, amount):
    assert "not a finite number" in desk("--max-usd", amount, "-n", "5")["error"]["message"]
    assert (desk.status, teacher.bill) == (2, [])


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -1_000_000, "completion_tokens": 3},
        {"prompt_tokens": "many", "completion_tokens": 1.5},
    ],
)
def test_l2_odd_usage_is_unknown_and_no_way_around_the_cap(desk, teacher, usage):
    teacher.usage = lambda number: usage if number % 2 else None
    told = desk("--max-usd", "0.5", "-n", "300")
    spend = told["spend"]
    assert told["stopped"] == "the cap is reached"
    assert set(told["outcomes"]) == {"answered"}
    assert not told["failures"]
    # One of two answers has no price: for these the bound, above 4 cents each, stays set aside.
    assert len(teacher.bill) < 30
    assert 0 < spend["usd"] < spend["at_most_usd"] <= 0.5
    assert spend["unpriced"] == len(teacher.bill) // 2
    assert told["left"] == 300 - len(teacher.bill)


@pytest.mark.parametrize(("fault", "why"), [("400", "refused request"), ("refusal", "refused")])
def test_a_sitting_that_brings_no_label_says_why(desk, teacher, fault, why):
    teacher.script = {"*": [fault] * 3}
    told = desk("--max-usd", "5", "-n", "12")
    assert (desk.status, told["labels"]) == (1, 0)
    assert f"12 {why}" in told["stopped"]
    assert "Next: stepdown label" in desk.said
    assert told["answers"] == (12 if fault == "refusal" else 0)


def test_too_few_labels_for_a_dataset_is_a_no(tmp_path, teacher, capsys):
    log = write(tmp_path / "log.jsonl", easy(40))
    assert call("audit", log, "--workspace", tmp_path / "ws") == 0
    task = json.loads(next(tmp_path.glob("ws/tasks/*/task.json")).read_text())
    write(log, easy(21))
    desk = Desk(tmp_path / "ws", task, write_config(tmp_path, teacher), capsys)
    told = desk("--max-usd", "5", "-n", "5")
    assert (desk.status, told["labels"], told["dataset"]) == (1, 5, None)
    assert "collect 412 more" in told["why"]


def test_without_a_price_no_cap_can_be_kept(desk, teacher, tmp_path):
    write_config(tmp_path, teacher, more="")
    refused = desk("--max-usd", "1", "-n", "5")["error"]["message"]
    assert "Nobody knows what big charges" in refused
    assert "under [teacher] in stepdown.toml" in refused
    told = desk("--yes", "-n", "5")
    assert (told["spend"]["unpriced"], told["spend"]["at_most_usd"]) == (5, None)
    write_config(tmp_path, teacher)
    assert "spent before" in desk("--max-usd", "1", "-n", "9")["error"]["message"]
    assert len(teacher.bill) == 5


def test_a_key_that_stops_working_ends_it_and_it_goes_on(desk, teacher):
    teacher.script["*"] = [""]
    teacher.after = lambda calls: teacher.script.update({"*": ["401"]} if calls == 30 else {})
    told = desk("--max-usd", "5", "-n", "100")
    assert desk.status == 1
    assert "does not know the key (status 401)" in told["stopped"]
    assert told["labels"] == len(teacher.bill) >= 30
    teacher.script.clear()
    teacher.after = None
    told = desk("--max-usd", "5", "-n", "100")
    assert (desk.status, told["labels"]) == (0, 100)
    assert set(teacher.calls.values()) == {1}


def test_p1_what_an_api_repeats_of_a_question_is_redacted(desk, teacher):
    teacher.script["*"] = ["400"]
    teacher.says = f"No, I won't read: 'my key is {CREDENTIALS['openai']}'"
    told = desk("--max-usd", "5", "-n", "100")
    assert desk.status == 1
    for said in (desk.said, told["stopped"]):
        assert CREDENTIALS["openai"] not in said
        assert "my key is [redacted key]" in said


def test_ctrl_c_ends_it_cleanly(desk, teacher):
    teacher.latency = 0.05
    running = command(*desk.arguments("--max-usd", "5", "-n", "300", "--json"))
    while len(teacher.bill) < 40:
        assert running.poll() is None
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGINT)
    out, said = running.communicate(timeout=30)
    told = json.loads(out)
    assert running.returncode == 130
    assert "stopped by hand" in said
    assert "Next: stepdown label" in said
    assert told["labels"] == len(teacher.bill) < 300
    assert told["spend"]["possible_double_payments"] == 0


def test_a_label_stands_in_place_of_the_logged_answer(desk, teacher):
    teacher.answer = lambda text: "travel"
    teacher.script = {text: ["other"] for text in map(message, range(0, 450, 2))}
    desk("--yes", "-n", "450", "--budget", "0.03")
    labels = {label.item: label.outcome for label in desk.labels()}
    assert sorted(set(labels.values())) == ["answered", "other_label"]
    (path,) = desk.workspace.glob("tasks/*/dataset-*.jsonl")
    rows = [json.loads(line) for line in path.read_bytes().splitlines()[1:]]
    paid = {row["id"]: row for row in rows if labels[row["id"]] == "answered"}
    assert len(paid) > 150
    assert {row["record"][""] for row in paid.values()} == {"travel"}
    # What is no label of the task's teaches nothing, and is not left out where that would flatter.
    assert not any(row["known"] for row in rows if row["id"] not in paid)
    assert any(row["split"] != "train" for row in rows if not row["known"])


def test_other_terms_are_another_run(desk, teacher, tmp_path):
    first = desk("--max-usd", "5", "-n", "20")
    write_config(tmp_path, teacher, more=PRICED + "max_tokens = 100\n")
    second = desk("--max-usd", "5", "-n", "20")
    assert "limit of tokens is not what it was before" in desk.said
    assert second["run"] != first["run"]
    assert (second["labels"], second["calls"]) == (20, 20)
    assert second["spend"]["attodollars"] * 2 == pytest.approx(teacher.billed, rel=0.01)
    spent = read_spend(desk.ledger, desk.task["id"])
    assert (spent.known, spent.answers) == (teacher.billed, 40)


def test_there_are_no_more_calls_than_the_log_has(desk, teacher):
    told = desk("--max-usd", "50", "-n", "1000")
    assert told["labels"] == 450
    assert "no more calls in the log" in desk.said


def test_the_table_fits_the_terminal(desk, teacher, capsys):
    teacher.script = {"*": ["html", "429:0"]}
    assert call(*desk.arguments("--max-usd", "50", "-n", "30")) == 0
    printed = capsys.readouterr().out
    assert "answered" in printed
    assert "tries without an answer" in printed
    assert max(map(len, printed.splitlines())) <= 100


def test_requests_without_an_answer_are_asked_and_taught(tmp_path, teacher, capsys):
    """They are no call of the audit; a paid answer makes a row of one, and nothing else does."""
    lines = list(easy(600))
    for line in lines:
        line["request"]["model"] = "big"
    for line in lines[450:]:
        line |= {"response": {"error": {"message": "overloaded"}}}
    lines[-1].pop("response")
    log = write(tmp_path / "log.jsonl", lines)
    assert call("audit", log, "--workspace", tmp_path / "ws") == 0
    task = json.loads(next(tmp_path.glob("ws/tasks/*/task.json")).read_text())
    desk = Desk(tmp_path / "ws", task, write_config(tmp_path, teacher), capsys)
    assert task["calls"] == 450
    assert desk("--dry-run", "-n", "150")["items"] == 150
    paid = desk("--max-usd", "5", "-n", "150")
    asked = {one.item for one in desk.labels()}
    open_ = {line["id"] for line in lines[450:]}
    assert (desk.status, asked) == (0, open_)
    path = desk.workspace / "tasks" / task["id"] / f"dataset-{paid['dataset']}.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    taught = {row["id"] for row in rows if "id" in row}
    assert len(taught & open_) > 100
    (desk.ledger).unlink()
    assert call("label", task["name"], "--workspace", desk.workspace, "--json") == 0
    bare = json.loads(capsys.readouterr().out)
    path = path.with_name(f"dataset-{bare['dataset']}.jsonl")
    assert not any(name in path.read_text() for name in open_)


def test_what_expired_is_not_paid_for_again(desk, teacher):
    first = desk("--yes", "-n", "20", "--repeats", "1")
    billed = teacher.billed
    assert drop_responses(desk.ledger, time.time() + 1) == len(teacher.bill) > 200
    again = desk("--yes", "-n", "20", "--repeats", "1")
    assert (desk.status, again["calls"], teacher.billed) == (0, 0, billed)
    assert (again["labels"], again["spend"]) == (first["labels"], first["spend"])


@pytest.mark.parametrize("before", [0, 60])
def test_without_n_as_much_is_asked_as_was_announced(desk, teacher, monkeypatch, before):
    """In rounds, with a dataset that is there already or without."""
    monkeypatch.setattr("stepdown.label.choose.FIRST_ROUND", 40)
    asked = ("--yes", "--budget", "0.06")
    if before:
        assert desk("--yes", "--budget", "0.12", "-n", before)["dataset"]
    told = desk(*asked, "--dry-run")
    paid = desk(*asked)
    assert desk.status == 0
    assert told["items"] == paid["calls"] == len(teacher.bill) - before > 200
    whys = Counter(one.why for one in desk.labels())
    assert told["random"] <= whys["random"] <= 1.2 * told["random"] + before


def test_a_label_that_the_audit_did_not_see_is_one_when_it_is_paid_for(desk, teacher):
    """The audit looks at a sample; the dataset takes what the whole log has for labels."""
    desk.task["anatomy"]["fields"][0] |= {"values": ["cards", "loans", "account"], "distinct": 3}
    path = next(desk.workspace.glob("tasks/*/task.json"))
    path.write_text(json.dumps(desk.task))
    teacher.answer = lambda text: "travel"
    assert desk("--yes", "-n", "5")["outcomes"] == {"answered": 5}
    teacher.answer = lambda text: "space"
    assert desk("--yes", "-n", "10")["outcomes"] == {"other_label": 5}


def test_a_log_whose_prompt_was_edited_is_to_be_audited_again(tmp_path, teacher, capsys):
    log = write(tmp_path / "log.jsonl", easy(450))
    assert call("audit", log, "--workspace", tmp_path / "ws") == 0
    task = json.loads(next(tmp_path.glob("ws/tasks/*/task.json")).read_text())
    lines = list(easy(450))
    for at, line in enumerate(lines):
        line["request"]["messages"].insert(0, {"role": "system", "content": "Edited. Say a word."})
        if at < 9:
            line["request"]["messages"].pop(0)
    write(log, lines)
    capsys.readouterr()
    assert call("label", task["name"], "--workspace", tmp_path / "ws") == 1
    assert "441 of the 450 calls that the audit found no longer match" in capsys.readouterr().err
    write(log, lines[9:])
    desk = Desk(tmp_path / "ws", task, write_config(tmp_path, teacher), capsys)
    told = desk("--dry-run")
    assert "run `stepdown audit` on them again" in told["error"]["message"]
    assert (desk.status, teacher.bill) == (1, [])


def test_the_estimate_is_of_the_calls_that_tell_their_tokens(desk):
    """A log whose half has no usage costs no less to ask."""
    whole = desk("--dry-run", "-n", "50")
    desk.task |= {"counted_calls": 225, "input_tokens": 225 * 4000, "output_tokens": 225 * 4}
    next(desk.workspace.glob("tasks/*/task.json")).write_text(json.dumps(desk.task))
    assert desk("--dry-run", "-n", "50") == whole
    assert whole["input_tokens"] == 50 * 4000
