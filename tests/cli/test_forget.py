"""P-3: after somebody is forgotten, or calls have expired, no file of the workspace has them."""

import http.client
import io
import json
import os
import shutil
import sys
import time
from contextlib import closing

import pytest
import zstandard
from tests.cli.story import call, easy, write
from tests.reliability.processes import gateway_process

from stepdown.core.calls import Answer
from stepdown.core.gold import Gold
from stepdown.core.labels import Parsed, Reserved, Sent, Stored
from stepdown.core.people import mark_of
from stepdown.core.ports import Exchange
from stepdown.store.ledger import Ledger
from stepdown.store.sqlite import SqliteOutbox
from stepdown.workspace import Workspace
from stepdown.workspace.gold import add_gold

USER, WORD = "zq.canary-user", "zqcanaryword"
DAY = 86_400.0


def lines(count=900):
    for number, one in enumerate(easy(count)):
        theirs = number % 9 == 0
        one["request"]["user"] = USER if theirs else f"user-{number % 50}"
        if theirs:
            one["request"]["messages"][1]["content"] += f" {WORD}{number}"
        yield one


def held(space, models=False):
    """Return which files have a word of theirs, as they are and unpacked."""
    found = {}
    for path in space.rglob("*"):
        if path.is_file() and (models or "students" not in path.parts):
            data = path.read_bytes()
            if path.suffix == ".zst":
                data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
            found[str(path.relative_to(space))] = data
    return sorted(
        name for name, data in found.items() if USER.encode() in data or WORD.encode() in data
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A workspace made of a log on standard input, with every kind of file in it."""
    folder = tmp_path_factory.mktemp("theirs")
    log = write(folder / "log.jsonl", lines())
    space = folder / "space"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(log.read_bytes()), "utf-8"))
        assert call("run", "-", "--workspace", space, "--json") == 0
    (task,) = Workspace(space).tasks()
    (dataset,) = Workspace(space).folder(task.id).glob("dataset-*.jsonl")
    rows = [json.loads(line) for line in dataset.read_bytes().split(b"\n")[1:-1]]
    theirs = [row for row in rows if row["source"] == mark_of(USER)]
    assert len(theirs) > 20
    one = theirs[0]
    add_gold(dataset.parent / "gold.jsonl", Gold(one["id"], "accepted", who=WORD))
    reply = {"row": one["id"], "said": WORD}
    (dataset.parent / f"hosted-{dataset.stem[8:]}.jsonl").write_text(
        json.dumps(reply) + "\n" + json.dumps({"row": "other"}) + "\n", encoding="utf-8"
    )
    doubts = dataset.parent / f"doubts-{dataset.stem[8:]}.jsonl"
    doubts.write_text(json.dumps({"id": one["id"], "input": WORD}) + "\n", encoding="utf-8")
    with closing(Ledger(space / "labels.db")) as ledger:
        run = ledger.begin(task.id, "teacher", {})
        for item, source in ((one["id"], ""), ("elsewhere", mark_of(USER)), ("other", "user-x")):
            word = "plain" if item == "other" else WORD
            ledger.commit(
                run.id,
                [
                    Reserved(item, item, "random", source=source),
                    Sent(item, 1, 1.0),
                    Stored(item, 1, json.dumps({"t": word}).encode(), 1.0, cost=5),
                    Parsed(item, "answered", Answer(word)),
                ],
            )
    return space


@pytest.fixture
def space(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "space")


def ask(gateway, user, text):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    messages = [{"role": "user", "content": text}]
    body = json.dumps({"model": "gpt-5.2", "user": user, "messages": messages})
    connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
    connection.getresponse().read()
    connection.close()


def told(capsys):
    return json.loads(capsys.readouterr().out)


def test_p3_somebody_is_forgotten_while_the_gateway_serves(space, upstream, capsys, figure):
    with gateway_process(space, upstream) as gateway:
        for number in range(60):
            ask(gateway, USER if number % 2 else "bob", f"{WORD}" if number % 2 else "hello")
        before = held(space)
        assert {"calls.db", "labels.db"} <= {name.removesuffix("-wal") for name in before}
        assert len(before) >= 6, before
        capsys.readouterr()
        assert call("forget", USER, "--workspace", space, "--yes", "--json") == 0
        report = told(capsys)
        assert held(space) == []
        # The gateway serves on, and who comes back is kept from then on.
        ask(gateway, USER, "again")
        assert "calls.db-wal" in held(space)
    assert (report["captured"], report["labels"]) == (30, 2)
    assert report["spooled"] == 100
    (task,) = report["tasks"]
    assert task["rows"] > 20
    (student,) = task["students"]
    assert (space / "tasks").glob(f"*/students/{student}")
    note = json.loads((space / "forgotten.json").read_bytes())
    assert note["students"] == task["students"]
    assert list(note["people"]) == [mark_of(USER)]
    figure(f"{len(before)} files had words of one person, 0 after it ({task['rows']} rows)")


def test_what_is_left_is_whole_and_logs_pass_over_them(space, capsys):
    capsys.readouterr()
    assert call("forget", USER, "--workspace", space, "--yes", "--json") == 0
    ((_, new),) = told(capsys)["tasks"][0]["datasets"].items()
    (dataset,) = space.glob("tasks/*/dataset-*.jsonl")
    assert dataset.stem == f"dataset-{new}"
    (hosted,) = space.glob("tasks/*/hosted-*.jsonl")
    assert hosted.read_bytes() == b'{"row": "other"}\n'
    (task,) = Workspace(space).tasks()
    # The log that was read from standard input is read again.
    assert call("label", task.name, "--workspace", space, "--json") == 0
    assert held(space) == []
    assert call("forget", USER, "--workspace", space, "--yes", "--json") == 0
    capsys.readouterr()
    assert call("status", "--workspace", space) == 0
    assert "learnt from" in capsys.readouterr().err


def test_p3_who_is_killed_in_between_goes_on_where_it_was(space, capsys, monkeypatch):
    from stepdown.cli import forget as command

    with closing(SqliteOutbox(space / "calls.db")) as outbox:
        line = json.dumps({"id": "c1", "request": {"user": USER, "text": WORD}}).encode()
        outbox.commit([Exchange("c1", 1.0, line), Exchange("c2", 1.0, b"{}")])
    for name in ("take_out", "without_lines", "clear_stores"):
        with monkeypatch.context() as patch:

            def killed(*given, **more):
                raise KeyboardInterrupt

            patch.setattr(command, name, killed)
            with pytest.raises((KeyboardInterrupt, AssertionError)):
                assert call("forget", USER, "--workspace", space, "--yes") == 0
        assert held(space)
        assert list(space.glob("forgetting-*"))
    assert call("forget", USER, "--workspace", space, "--yes") == 0
    assert held(space) == []
    assert not list(space.glob("forgetting-*"))


def test_logs_elsewhere_are_named_and_not_changed(tmp_path, capsys):
    log = write(tmp_path / "log.jsonl", lines(700))
    before = log.read_bytes()
    space = tmp_path / "space"
    assert call("run", log, "--workspace", space, "--json") == 0
    capsys.readouterr()
    assert call("forget", USER, "--workspace", space, "--yes") == 0
    assert str(log) in capsys.readouterr().err
    assert log.read_bytes() == before
    assert held(space) == []
    assert call("audit", log, "--workspace", space, "--json") == 0
    report = told(capsys)
    assert report["sources"][0]["rejected"] == {"of somebody who was forgotten": 78}
    assert held(space) == []


def test_a_log_that_is_gone_is_said(tmp_path, capsys):
    log = write(tmp_path / "log.jsonl", lines(700))
    space = tmp_path / "space"
    assert call("run", log, "--workspace", space, "--json") == 0
    log.unlink()
    assert call("forget", USER, "--workspace", space, "--yes") == 0
    assert "could be read again" in capsys.readouterr().err
    # Their rows are known by their source.
    assert held(space) == []


def test_p3_on_postgres(space, upstream, url, capsys, server, tmp_path):
    (tmp_path / "stepdown.toml").write_text(f'[store]\nurl = "{url}"\n', encoding="utf-8")
    config = ("--config", str(tmp_path / "stepdown.toml"))
    with gateway_process(space, upstream, *config) as gateway:
        for number in range(40):
            ask(gateway, USER if number % 2 else "bob", WORD if number % 2 else "hello")
        deadline = time.monotonic() + 20
        while server.ask(url, "SELECT count(*) FROM stepdown_calls") != [(40,)]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        capsys.readouterr()
        assert call("forget", USER, "--workspace", space, "--yes", "--json", *config) == 0
        assert told(capsys)["captured"] == 20
        rows = server.ask(url, "SELECT encode(line, 'escape') FROM stepdown_calls")
    assert len(rows) == 20
    assert not [row for row in rows if USER in str(row) or WORD in str(row)]
    assert held(space) == []


def test_p3_what_is_older_than_keep_days_expires(space, trained, upstream, capsys, tmp_path):
    (known,) = space.glob("tasks/*/task.json")
    # The task's log is the copy's own.
    known.write_text(known.read_text().replace(str(trained), str(space)))
    (tmp_path / "stepdown.toml").write_text("[store]\nkeep_days = 3000\n", encoding="utf-8")
    config = ("--config", str(tmp_path / "stepdown.toml"))
    assert call("forget", "--expired", "--workspace", space, "--yes", "--json", *config) == 0
    report = told(capsys)
    assert (report["tasks"], report["labels"]) == ([], 3)  # their raw responses are of 1970
    assert held(space)
    # The log's calls are of 2026; the machine's clock may be too.
    days = (time.time() - 1_790_000_000) / DAY - 20
    (tmp_path / "stepdown.toml").write_text(f"[store]\nkeep_days = {days}\n", encoding="utf-8")
    assert call("forget", "--expired", "--workspace", space, "--yes", "--json", *config) == 0
    report = told(capsys)
    # Those of the first 20 of 40 days, whenever the file was written.
    assert (report["spooled"], report["labels"]) == (451, 0)
    assert min(dataset_times(space)) >= 1_790_000_000 + 19 * DAY
    (task,) = Workspace(space).tasks()
    assert call("label", task.name, "--workspace", space, *config) == 0
    # They do not come back out of the log.
    assert min(dataset_times(space)) >= 1_790_000_000 + 19 * DAY


def test_p3_a_spooled_log_that_expired_is_missed_by_nobody(tmp_path, capsys, monkeypatch):
    space, kept = tmp_path / "space", write(tmp_path / "kept.jsonl", list(lines())[450:])
    old = write(tmp_path / "old.jsonl", list(lines())[:450])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(old.read_bytes()), "utf-8"))
    assert call("audit", "-", kept, "--workspace", space, "--json") == 0
    config = tmp_path / "stepdown.toml"
    days = (time.time() - 1_790_000_000) / DAY - 20
    config.write_text(f"[store]\nkeep_days = {days}\n", encoding="utf-8")
    options = ("--workspace", space, "--config", config)
    assert call("forget", "--expired", "--yes", *options) == 0
    assert list((space / "logs").iterdir()) == []
    (task,) = Workspace(space).tasks()
    assert call("label", task.name, *options) == 0
    assert min(dataset_times(space)) >= 1_790_000_000 + 19 * DAY


def dataset_times(space):
    path = max(space.glob("tasks/*/dataset-*.jsonl"), key=os.path.getmtime)
    return [json.loads(line)["time"] for line in path.read_bytes().split(b"\n")[1:-1]]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "Name a USER"),
        (("ann", "--expired"), 2, "not both"),
        (("ann",), 2, "add --yes"),
        (("--expired", "--yes"), 2, "keep_days"),
    ],
)
def test_bad_usage_is_one_sentence(space, capsys, monkeypatch, arguments, status, said):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert call("forget", *arguments, "--workspace", space) == status
    assert said in capsys.readouterr().err


def test_the_question_leaves_standard_output_to_json(space, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(
        "click.termui.visible_prompt_func", lambda asked: sys.stdout.write(asked) and "y"
    )
    capsys.readouterr()
    assert call("forget", "nobody", "--workspace", space, "--json") == 0
    assert json.loads(capsys.readouterr().out)["calls"] == 0


def test_without_a_workspace_nothing_is_made(tmp_path, capsys):
    assert call("forget", "ann", "--yes", "--workspace", tmp_path / "none") == 1
    assert not (tmp_path / "none").exists()
