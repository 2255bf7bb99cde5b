"""A teacher writes inputs for a thin log: paid once, labelled like others, and only trained on."""

import json
import random

import pytest
from tests.cli.story import FILLER, TOPICS, call, easy, write
from tests.cli.teaching import FakeTeacher, topic_of, write_config

from stepdown.audit.prices import ATTODOLLARS
from stepdown.label import load_dataset
from stepdown.store.ledger import read_labels, read_spend


class Author(FakeTeacher):
    """Writes an input for each entry, every seventh of them an old one again."""

    def __init__(self):
        super().__init__()
        self.questions = 0
        self.whole = self.write
        self.rng = random.Random(5)

    def write(self, asked):
        system = asked["messages"][0]["content"]
        if "you write for it" not in system:
            return None
        self.questions += 1
        entries = json.loads(system.split("The entries: ")[1].split("\n")[0])
        shots = json.loads(asked["messages"][1]["content"].split("\n")[1])
        return json.dumps({"inputs": [self._input(at, e, shots) for at, e in enumerate(entries)]})

    def _input(self, at, entry, shots):
        if at == 6:
            return shots[0]
        said = TOPICS[entry[""]].split() if entry else ["weather", "football", "music", "paint"]
        words = self.rng.sample(said, 3) + self.rng.sample(FILLER, 7)
        self.rng.shuffle(words)
        return " ".join(words)


@pytest.fixture
def teacher():
    made = Author()
    yield made
    made.close()


@pytest.fixture
def desk(tmp_path, teacher, capsys):
    log = write(tmp_path / "log.jsonl", easy(160))
    assert call("audit", log, "--workspace", tmp_path / "ws") == 0
    (path,) = tmp_path.glob("ws/tasks/*/task.json")
    found = json.loads(path.read_text())
    config = write_config(tmp_path, teacher)

    class Desk:
        folder, status, said = tmp_path / "ws", 0, ""
        task = found["id"]

        def __call__(self, *options, cap=50):
            capsys.readouterr()
            at = ("--workspace", self.folder, "--config", config, "--budget", 0.1)
            told = ("--teacher", "big", "--synthetic", 60, "--json", "--max-usd", cap)
            self.status = call("label", found["name"], *told, *at, *options)
            printed = capsys.readouterr()
            self.said = printed.err
            return json.loads(printed.out) if printed.out else {}

    return Desk()


def dataset(desk):
    paths = sorted(desk.folder.glob("tasks/*/dataset-*.jsonl"), key=lambda p: p.stat().st_mtime_ns)
    return load_dataset(paths[-1].read_bytes())


def test_written_inputs_are_labelled_and_only_train(desk, teacher):
    told = desk("--yes")
    assert desk.status == 0
    assert teacher.questions == 7
    made = [row for row in dataset(desk).examples if row.id.startswith("synthetic-")]
    assert 35 <= len(made) <= 56
    assert {(row.origin, row.split) for row in made} == {("synthetic", "train")}
    # Its label is what the teacher said of it, whatever it was written for.
    assert all(row.record[""] == topic_of(row.input[0].text) for row in made)
    held = dataset(desk).part("calibration") + dataset(desk).part("test")
    assert {row.origin for row in held} == {"log"}
    counts = told["written"].values()
    assert len(told["written"]) == 6
    assert sum(one["asked"] for one in counts) == 60
    assert sum(one["kept"] for one in counts) == told["labels"]
    assert sum(one.get("duplicate", 0) for one in counts) >= 3
    ledger = desk.folder / "labels.db"
    assert read_spend(ledger, desk.task).known == teacher.billed
    paid = [told, told["writing"]]
    assert sum(one["spend"]["attodollars"] for one in paid) == teacher.billed
    assert told["total"]["spend"]["attodollars"] == teacher.billed
    assert (told["total"]["calls"], "asked_again" in told) == (len(teacher.bill), False)
    labels = [one for one in read_labels(ledger, desk.task) if one.why == "synthetic"]
    assert len(labels) == told["labels"] == len({one.item for one in labels})


def test_the_same_command_again_pays_nothing_and_makes_the_same(desk, teacher):
    desk("--yes")
    first, calls = dataset(desk), len(teacher.bill)
    desk("--yes")
    assert desk.status == 0
    assert len(teacher.bill) == calls
    assert dataset(desk) == first


def test_one_cap_holds_for_writing_and_labelling(desk, teacher):
    told = desk("--yes", cap=0.045)
    assert (desk.status, "stepdown train" in desk.said) == (0, True)
    assert told["dataset"]
    assert told["total"]["spend"]["attodollars"] == teacher.billed
    assert 0 < teacher.billed <= 0.045 * 10**18
    before = teacher.questions
    desk("--yes")
    assert desk.status == 0
    assert teacher.questions - before <= 7 - before
    assert max(teacher.calls.values()) == 1


def test_a_dry_run_writes_nothing(desk, teacher):
    desk("--dry-run")
    assert teacher.bill == []
    assert "60 inputs would be written" in desk.said


def test_a_dry_run_estimates_the_run_that_would_follow(desk, teacher):
    told = desk("--dry-run", cap=5)
    assert told["items"] == 66
    desk("--yes", cap=5)
    assert 0.5 < len(teacher.bill) / told["items"] < 1.1
    # The log's answers are longer than this teacher's.
    assert teacher.billed / ATTODOLLARS < told["expected_usd"] < told["at_most_usd"] <= 5


def test_calls_of_the_log_are_asked_too_where_some_are_wanted(desk, teacher):
    told = desk("--yes", "-n", 20)
    assert told["labels"] == 20
    assert (told["writing"]["labels"], told["synthetic"]["calls"] > 30) == (7, True)


def test_a_task_whose_last_message_never_changes_has_nothing_to_write(tmp_path, teacher, capsys):
    rows = []
    for row in easy(200):
        system, user = row["request"]["messages"]
        system["content"] += f"\nThe message: {user['content']}"
        user["content"] = "Go on."
        rows.append(row)
    log = write(tmp_path / "log.jsonl", rows)
    assert call("audit", log, "--workspace", tmp_path / "ws") == 0
    (path,) = tmp_path.glob("ws/tasks/*/task.json")
    at = ("--workspace", tmp_path / "ws", "--config", write_config(tmp_path, teacher))
    name = json.loads(path.read_text())["name"]
    assert call("label", name, "--teacher", "big", "--synthetic", 5, "--yes", *at) == 1
    assert "nothing in it to write" in capsys.readouterr().err
    assert teacher.bill == []
