"""What is held comes out as native lines that an audit reads, whole or of one person."""

import json
from contextlib import closing

import msgspec
import pytest
from tests.cli.story import call, easy, line, write

from stepdown.core.calls import Answer, Message, Request
from stepdown.core.datasets import Quarantined
from stepdown.core.gold import Gold
from stepdown.core.labels import MADE_OF, Parsed, Reserved, Stored
from stepdown.core.people import mark_of
from stepdown.core.ports import Exchange
from stepdown.label import load_dataset, save_dataset
from stepdown.label.archive import named
from stepdown.store.ledger import Ledger
from stepdown.store.sqlite import SqliteOutbox
from stepdown.workspace import Workspace
from stepdown.workspace.gold import add_gold


@pytest.fixture
def held(tmp_path):
    """A workspace whose log is gone, with captured calls and a paid label."""
    lines = list(easy(700))
    for number, one in enumerate(lines):
        one["request"]["user"] = f"user-{number % 7}"
    log = write(tmp_path / "log.jsonl", lines)
    space = tmp_path / "space"
    assert call("run", log, "--workspace", space, "--json") == 0
    log.unlink()
    with closing(SqliteOutbox(space / "calls.db")) as outbox:
        for number, user in enumerate(("user-1", "user-2")):
            one = line(number, "a captured call", "cards")
            one |= {"id": f"captured-{number}", "stepdown": {"tier": "frontier"}}
            one["request"]["user"] = user
            outbox.commit([Exchange(one["id"], 1.0, json.dumps(one).encode())])
    (task,) = Workspace(space).tasks()
    with closing(Ledger(space / "labels.db")) as ledger:
        run = ledger.begin(task.id, "teacher-1", {})
        for item, user in (("call-1", "user-1"), ("nowhere", "user-2")):
            steps = [
                Reserved(f"key {item}", item, "random", source=mark_of(user)),
                Stored(f"key {item}", 1, b"{}", 1.0),
                Parsed(f"key {item}", "answered", Answer("loans")),
            ]
            ledger.commit(run.id, steps)
    return space


def read(path):
    return [json.loads(one) for one in path.read_bytes().splitlines()]


def test_all_that_is_held_is_written_and_can_be_audited(held, tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    capsys.readouterr()
    assert call("export", "-o", out, "--workspace", held, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    lines = read(out)
    assert (told["captured"], told["labels"], told["spooled"]) == (2, 2, 0)
    assert len(lines) == 4 + told["datasets"]
    assert told["datasets"] > 600
    assert out.stat().st_mode & 0o777 == 0o600
    assert len({one["id"] for one in lines}) == len(lines)
    # Who answered goes with an answer: a student's must not teach again as the teacher's.
    assert [one["stepdown"] for one in lines if "stepdown" in one] == [{"tier": "frontier"}] * 2
    assert call("audit", out, "--workspace", tmp_path / "again", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    # A label of a call that no file holds has no request.
    assert report["sources"][0]["rejected"] == {"no request": 1}
    assert sum(task["calls"] for task in report["tasks"]) > 600


def test_of_one_person_alone(held, tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    assert call("export", "--user", "user-1", "-o", out, "--workspace", held) == 0
    lines = read(out)
    assert len(lines) > 80
    users = {one["request"]["user"] for one in lines}
    assert users == {"user-1", mark_of("user-1")}
    assert "key nowhere" not in {one["id"] for one in lines}
    assert "Lines written: captured 1, datasets" in capsys.readouterr().err


def test_p3_export_has_all_that_forget_removes(held, tmp_path, capsys):
    (task,) = Workspace(held).tasks()
    folder = Workspace(held).folder(task.id)
    (path,) = folder.glob("dataset-*.jsonl")
    dataset = load_dataset(path.read_bytes())
    theirs, other = (
        next(row for row in dataset.examples if row.source == mark_of(f"user-{n}")) for n in (3, 4)
    )
    planted = msgspec.structs.replace(theirs, id="planted")
    dataset = named(msgspec.structs.replace(dataset, quarantined=(Quarantined(planted, "/", "x"),)))
    path.unlink()
    (folder / f"dataset-{dataset.id}.jsonl").write_bytes(save_dataset(dataset))
    (folder / "dataset-bad.jsonl").write_bytes(b"{}")
    for row in (theirs, other):
        add_gold(folder / "gold.jsonl", Gold(row.id, "accepted", who="me"))
    for kind, key in (("doubts", "id"), ("hosted", "row")):
        lines = [json.dumps({key: row.id, "said": "words"}) + "\n" for row in (theirs, other)]
        (folder / f"{kind}-{dataset.id}.jsonl").write_text("".join(lines), encoding="utf-8")
    with closing(Ledger(held / "labels.db")) as ledger:
        run = ledger.begin(task.id, "teacher-2", {})
        made = Request("m", (Message("user", "hi"),), metadata={MADE_OF: [theirs.id]})
        for item, asked in ((theirs.id, None), ("writing-1", made)):
            steps = [
                Reserved(f"2 {item}", item, "again", request=asked),
                Stored(f"2 {item}", 1, b"{}", 1.0),
                Parsed(f"2 {item}", "answered", Answer("loans")),
            ]
            ledger.commit(run.id, steps)
    out = tmp_path / "out.jsonl"
    capsys.readouterr()
    assert call("export", "--user", "user-3", "-o", out, "--workspace", held, "--json") == 0
    printed = capsys.readouterr()
    assert "dataset-bad.jsonl" in printed.err
    assert json.loads(printed.out)["beside"] == 3
    found = {one["id"] for one in read(out)}
    assert {theirs.id, "planted", f"2 {theirs.id}", "2 writing-1", "gold-1"} < found
    assert other.id not in found
    kinds = {one["metadata"]["held_in"] for one in read(out)}
    assert kinds == {"a dataset", "a paid label", "gold", "doubts", "hosted"}
    (doubt,) = [one for one in read(out) if one["metadata"]["held_in"] == "doubts"]
    assert doubt["doubts"] == {"id": theirs.id, "said": "words"}
    assert call("forget", "user-3", "--workspace", held, "--yes", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["labels"] == 2
    assert call("export", "--user", "user-3", "-o", out, "--workspace", held) == 0
    assert read(out) == []


def test_a_spooled_log_is_held_as_well(tmp_path, capsys, monkeypatch):
    import io
    import sys

    lines = [*easy(90), line(90, "nobody answered", "cards")]
    lines[90]["request"]["user"] = "ann"
    del lines[90]["response"]
    log = write(tmp_path / "log.jsonl", lines)
    text = io.TextIOWrapper(io.BytesIO(log.read_bytes()), "utf-8")
    monkeypatch.setattr(sys, "stdin", text)
    space = tmp_path / "space"
    assert call("audit", "-", "--workspace", space, "--json") == 0
    capsys.readouterr()
    assert call("export", "--workspace", space) == 0
    lines = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    assert [one["id"] for one in lines] == [f"call-{n}" for n in range(91)]
    assert (lines[90]["request"]["user"], lines[90]["response"]) == ("ann", None)
    assert call("export", "--user", "ann", "-o", tmp_path / "out", "--workspace", space) == 0
    assert [one["id"] for one in read(tmp_path / "out")] == ["call-90"]
    capsys.readouterr()
    assert call("audit", tmp_path / "out", "--workspace", tmp_path / "b") == 2
    assert "requests without an answer: 1" in capsys.readouterr().err
    assert lines[0]["metadata"]["held_in"] == "a spooled log"


def test_where_nothing_is_held_it_says_none(held, tmp_path, capsys):
    assert call("export", "--user", "nobody", "--workspace", held) == 0
    said = capsys.readouterr().err
    assert "Lines written: none." in said
    assert f"stepdown status --workspace {held}" in " ".join(said.split())


def test_bad_usage_is_one_sentence(held, tmp_path, capsys):
    assert call("export", "--json", "--workspace", held) == 2
    assert "-o FILE" in capsys.readouterr().err
    assert call("export", "--workspace", tmp_path / "none") == 1
