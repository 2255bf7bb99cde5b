"""`stepdown audit` as a command: table, JSON, page, and input that is no log."""

import csv
import gzip
import io
import json
import os
import sys
import threading
from pathlib import Path

import msgspec
import pytest
from tests.cli.story import call, easy, write


def test_the_table_fits_100_columns_and_names_the_next_command(ran, tmp_path, capsys):
    assert call("audit", ran.log, "--workspace", tmp_path) == 0
    captured = capsys.readouterr()
    assert max(map(len, captured.out.splitlines())) <= 100
    assert "distil" in captured.out
    assert captured.err.strip().splitlines()[-1].startswith("Next: stepdown run")


def test_json_is_one_object_and_the_page_is_self_contained(ran, tmp_path, capsys):
    page = tmp_path / "audit.html"
    arguments = ("audit", ran.log, "--workspace", tmp_path, "--json", "--html", page)
    assert call(*arguments) == 0
    report = json.loads(capsys.readouterr().out)
    (task,) = report["tasks"]
    assert task["verdict"]["decision"] == "distil"
    assert task["anatomy"]["fields"][0]["kind"] == "choice"
    assert task["spend_usd"] > 0
    html = page.read_text("utf-8")
    assert "<svg" in html
    assert "http://" not in html.replace("http://www.w3.org", "")


def test_half_the_lines_cut_off_are_counted_not_fatal(tmp_path, capsys):
    whole = [json.dumps(item) for item in easy(400)]
    text = "\n".join(item if n % 2 else item[: len(item) // 2] for n, item in enumerate(whole))
    log = tmp_path / "log.jsonl"
    log.write_text(text)
    assert call("audit", log, "--workspace", tmp_path / "w", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    (source,) = report["sources"]
    assert report["calls"] == 200
    assert sum(source["rejected"].values()) == 200


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.png", b"\x89PNG\r\n\x1a\n" + bytes(300)), ("b.csv", b"a,b\n1,2\n"), ("c.jsonl", b"")],
)
def test_what_is_no_log_is_exit_2_with_the_files_name(tmp_path, capsys, name, data):
    (tmp_path / name).write_bytes(data)
    assert call("audit", tmp_path / name, "--workspace", tmp_path / "w") == 2
    assert name in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


def test_a_missing_file_is_exit_2(tmp_path, capsys):
    assert call("audit", tmp_path / "gone.jsonl", "--workspace", tmp_path / "w") == 2
    assert "gone.jsonl" in capsys.readouterr().err


def test_standard_input_is_kept_to_be_read_again(tmp_path, capsys, monkeypatch):
    packed = gzip.compress("".join(json.dumps(item) + "\n" for item in easy(300)).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(packed), encoding="utf-8"))
    assert call("audit", "-", "--workspace", tmp_path / "w", "--json") == 0
    (task,) = json.loads(capsys.readouterr().out)["tasks"]
    assert task["calls"] == 300
    assert call("label", task["name"], "--workspace", tmp_path / "w", "--budget", "0.05") == 0


def test_what_comes_by_a_pipe_is_kept_to_be_read_again(tmp_path, capsys):
    data = write(tmp_path / "log.jsonl", easy(60)).read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for lines, told in ((data, None), (b"", "the piped input is empty; give ")):
        writer = threading.Thread(target=pipe.write_bytes, args=(lines,))
        writer.start()
        status = call("audit", pipe, "--workspace", tmp_path / "w", "--json")
        writer.join()
        printed = json.loads(capsys.readouterr().out)
        if told is None:
            (kept,) = printed["tasks"][0]["sources"]
            assert (status, printed["tasks"][0]["calls"]) == (0, 60)
            assert Path(kept).parent == (tmp_path / "w" / "logs").resolve()
        else:
            assert status == 2
            assert printed["error"]["message"].startswith(told)


def test_the_same_log_in_another_order_has_the_same_tasks(tmp_path, capsys):
    lines = list(easy(400))
    ids = []
    for order in (lines, lines[::-1]):
        log = write(tmp_path / "log.jsonl", order)
        call("audit", log, "--workspace", tmp_path / "w", "--json")
        ids.append([task["id"] for task in json.loads(capsys.readouterr().out)["tasks"]])
    assert ids[0] == ids[1]


def test_a_task_of_another_log_does_not_take_an_earlier_ones_name(tmp_path, capsys):
    other = [msgspec.json.decode(msgspec.json.encode(one)) for one in easy(400)]
    for one in other:
        one["request"]["messages"][0]["content"] += " Be quick."
    names = []
    for number, lines in enumerate((easy(400), other, easy(400))):
        log = write(tmp_path / f"{number}.jsonl", lines)
        call("audit", log, "--workspace", tmp_path / "w", "--json")
        names += [task["name"] for task in json.loads(capsys.readouterr().out)["tasks"]]
    first, second, third = names
    assert (second, third) == (f"{first}-2", first)


def test_the_next_command_names_every_log_and_the_workspace(tmp_path, capsys, monkeypatch):
    lines = list(easy(600))
    logs = [
        write(tmp_path / name, lines[at::2]) for at, name in enumerate(("a.jsonl", "b c.jsonl"))
    ]
    assert call("audit", *logs, "--workspace", tmp_path / "w") == 0
    last = capsys.readouterr().err.strip().splitlines()[-1]
    expected = f"run {logs[0]} '{logs[1]}' --workspace {tmp_path / 'w'} "
    assert expected in last
    text = "".join(json.dumps(item) + "\n" for item in lines).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text), encoding="utf-8"))
    call("audit", "-", "--workspace", tmp_path / "v")
    kept = next((tmp_path / "v" / "logs").iterdir())
    assert f"run {kept} " in capsys.readouterr().err


def test_a_table_with_names_of_its_own_is_read_alike_by_audit_and_label(tmp_path, capsys):
    log = tmp_path / "calls.csv"
    rows = [
        (item["request"]["messages"][-1]["content"], item["response"]["choices"][0]["message"])
        for item in easy(900)
    ]
    with log.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("asked by", "said"))
        writer.writerows((asked, message["content"]) for asked, message in rows)
    space = tmp_path / "w"
    names = ("--map", "input=asked by", "--map", "output=said")
    assert call("audit", log, *names, "--workspace", space, "--json") == 0
    (task,) = json.loads(capsys.readouterr().out)["tasks"]
    assert (task["calls"], task["anatomy"]["fields"][0]["kind"]) == (900, "choice")
    assert call("label", task["name"], "--workspace", space, "--json") == 0
    assert call("audit", log, "--map", "colour=x", "--workspace", space) == 2
    assert "FIELD=PATH" in capsys.readouterr().err
