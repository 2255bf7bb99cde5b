"""`stepdown label TASK --review`: what a person types is gold, on disk line by line."""

import io
import json
import os
import subprocess
import sys

import msgspec
import pytest
from tests.cli.story import call

from stepdown.core.datasets import Example
from stepdown.label import load_dataset
from stepdown.workspace import Workspace
from stepdown.workspace.gold import read_gold


@pytest.fixture
def task(space):
    return Workspace(space).tasks()[0]


def folder(space, task):
    return space / "tasks" / task.id


def doubt(space, task, count=12):
    """Put doubts of training rows beside the dataset, as `train` does."""
    path = max(folder(space, task).glob("dataset-*.jsonl"))
    dataset = load_dataset(path.read_bytes())
    rows = dataset.part("train")[:count]
    lines = [
        {
            "id": row.id,
            "input": row.input[-1].text,
            "said": row.record,
            "guessed": {"": "loans"},
            "confidence": 0.99 - at / 100,
        }
        for at, row in enumerate(rows)
    ]
    out = "".join(json.dumps(line) + "\n" for line in lines)
    path.with_name(f"doubts-{dataset.id}.jsonl").write_text(out)
    return rows


def review(space, task, typed, monkeypatch, *options):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed.encode()), "utf-8"))
    return call("label", task.name, "--review", "--workspace", space, *options)


def test_replies_are_kept_in_order_and_the_review_goes_on_later(space, task, monkeypatch, capsys):
    rows = doubt(space, task)
    assert review(space, task, "a\nn\ns\n3\nq\n", monkeypatch, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "task": task.name, "asked": 12, "accepted": 1, "corrected": 1, "none": 1, "skipped": 1,
    }  # fmt: skip
    path = folder(space, task) / "gold.jsonl"
    gold = read_gold(path)
    assert gold[rows[0].id].record == rows[0].record
    assert gold[rows[1].id].verdict == "none"
    assert gold[rows[3].id].record == {"": "loans"}
    assert gold[rows[3].id].who
    assert gold[rows[3].id].time > 1e9
    assert os.stat(path).st_mode & 0o777 == 0o600
    # What was skipped comes again, what was judged does not; the end of the pipe ends the review.
    assert review(space, task, "a\n", monkeypatch) == 0
    assert read_gold(path)[rows[2].id].verdict == "accepted"
    assert "1 of 59" in capsys.readouterr().err


def test_what_can_not_be_read_is_asked_again(space, task, monkeypatch, capsys):
    rows = doubt(space, task)
    assert review(space, task, 'x\n99\n[1\n"a new one"\nq\n', monkeypatch) == 0
    err = capsys.readouterr().err
    assert "neither a key" in err
    assert "from 1 to 4" in err
    assert "none of its values" in err
    gold = read_gold(folder(space, task) / "gold.jsonl")
    assert gold[rows[0].id].record == {"": "a new one"}


def test_a_mistyped_field_is_asked_again(space, task, monkeypatch, capsys):
    assert review(space, task, "/totl = 1\nq\n", monkeypatch, "-n", "3") == 0
    assert "/totl is no field of this task" in capsys.readouterr().err
    assert read_gold(folder(space, task) / "gold.jsonl") == {}


def test_corrections_teach_and_stay_out_of_what_is_held_out(space, task, monkeypatch, capsys):
    rows = doubt(space, task)
    assert review(space, task, "1\n2\nn\nq\n", monkeypatch) == 0
    assert review(space, task, "2\n" * 3, monkeypatch, "-n", "3") == 0
    assert call("label", task.name, "--workspace", space, "--json") == 0
    name = json.loads(capsys.readouterr().out)["dataset"]
    made = load_dataset((folder(space, task) / f"dataset-{name}.jsonl").read_bytes())
    by_id = {row.id: row for row in made.examples}
    assert by_id[rows[0].id].record == {"": "account"}
    assert by_id[rows[1].id].record == {"": "cards"}
    assert not by_id[rows[2].id].known
    assert any("people's in place of the teacher's" in note for note in made.report.notes)
    gold = read_gold(folder(space, task) / "gold.jsonl")
    drawn = [item for item, word in gold.items() if word.why == "random"]
    assert len(drawn) == 3
    before = {row.id: row for row in dataset_before(space, task)}
    assert all(by_id[item].record == before[item].record for item in drawn)
    assert all(before[item].split == "test" for item in drawn)
    assert all(gold[item].probability == pytest.approx(3 / held(before)) for item in drawn)


def dataset_before(space, task) -> tuple[Example, ...]:
    paths = sorted(folder(space, task).glob("dataset-*.jsonl"), key=lambda p: p.stat().st_mtime)
    return load_dataset(paths[0].read_bytes()).examples


def held(rows):
    return sum(row.split == "test" for row in rows.values())


def test_the_page_shows_the_doubts_and_asks_nothing(space, task, tmp_path, capsys):
    doubt(space, task)
    page = tmp_path / "doubts.html"
    options = ("--review", "--html", page, "--json")
    assert call("label", task.name, *options, "--workspace", space) == 0
    text = page.read_text()
    assert text.count("<article>") == 12
    assert "<script" not in text
    told = capsys.readouterr()
    assert "--review" in told.err
    assert json.loads(told.out)["doubted"] == 12
    assert not (folder(space, task) / "gold.jsonl").exists()


def test_doubts_that_cannot_be_read_are_one_sentence(space, task, capsys):
    doubts = Workspace(space).folder(task.id) / "doubts-1.jsonl"
    doubts.write_bytes(b'{"id": "a"\n')
    os.utime(doubts, (2**32, 2**32))
    assert call("label", task.name, "--review", "--workspace", space) == 2
    assert f"stepdown train {task.name}" in capsys.readouterr().err


def test_without_a_dataset_there_is_no_page(space, task, tmp_path, capsys):
    for path in folder(space, task).glob("dataset-*.jsonl"):
        path.unlink()
    page = tmp_path / "doubts.html"
    for options in ((), ("--html", page)):
        assert call("label", task.name, "--review", *options, "--workspace", space) == 1
        assert "has no dataset yet" in capsys.readouterr().err
    assert not page.exists()


def test_hostile_text_reaches_no_terminal(space, task, monkeypatch, capsys):
    doubt(space, task)
    (path,) = folder(space, task).glob("doubts-*.jsonl")
    evil = "\\u001b[2J[bold]x[/bold]\\u202e"
    path.write_text(path.read_text().replace('"input": "', f'"input": "{evil}'))
    assert review(space, task, "q\n", monkeypatch) == 0
    err = capsys.readouterr().err
    assert "\x1b[2J" not in err
    assert "\u202e" not in err
    assert "[bold]x[/bold]" in err


@pytest.mark.parametrize("options", [("--review", "--teacher", "m"), ("--html", "x.html")])
def test_what_does_not_go_together_is_exit_2(space, task, options):
    assert call("label", task.name, "--workspace", space, *options) == 2


def test_it_works_over_a_pipe(space, task):
    rows = doubt(space, task)
    command = [sys.executable, "-m", "stepdown", "label", task.name, "--review"]
    done = subprocess.run(
        [*command, "--workspace", space],
        input="a\na\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "2 accepted" in done.stderr
    assert max(len(line) for line in done.stderr.splitlines() if "loans" not in line) <= 400
    assert set(read_gold(folder(space, task) / "gold.jsonl")) == {row.id for row in rows[:2]}


def test_a_line_of_gold_is_as_small_as_a_reply(space, task, monkeypatch):
    doubt(space, task)
    review(space, task, "a\n", monkeypatch)
    (line,) = (folder(space, task) / "gold.jsonl").read_bytes().splitlines()
    assert set(msgspec.json.decode(line)) == {
        "item", "verdict", "record", "said", "why", "probability", "who", "time",
    }  # fmt: skip
