"""What is held comes out as native lines that an audit reads, whole or of one person."""

import json
from contextlib import closing

import pytest
from tests.cli.story import call, easy, line, write

from stepdown.core.calls import Answer
from stepdown.core.labels import Parsed, Reserved, Stored
from stepdown.core.people import mark_of
from stepdown.core.ports import Exchange
from stepdown.store.ledger import Ledger
from stepdown.store.sqlite import SqliteOutbox
from stepdown.workspace import Workspace


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


def test_a_spooled_log_is_held_as_well(tmp_path, capsys, monkeypatch):
    import io
    import sys

    log = write(tmp_path / "log.jsonl", easy(90))
    text = io.TextIOWrapper(io.BytesIO(log.read_bytes()), "utf-8")
    monkeypatch.setattr(sys, "stdin", text)
    space = tmp_path / "space"
    assert call("audit", "-", "--workspace", space, "--json") == 0
    capsys.readouterr()
    assert call("export", "--workspace", space) == 0
    lines = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    assert [one["id"] for one in lines] == [f"call-{n}" for n in range(90)]
    assert lines[0]["metadata"]["held_in"] == "a spooled log"


def test_bad_usage_is_one_sentence(held, tmp_path, capsys):
    assert call("export", "--json", "--workspace", held) == 2
    assert "-o FILE" in capsys.readouterr().err
    assert call("export", "--workspace", tmp_path / "none") == 1
