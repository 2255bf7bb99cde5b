"""`stepdown demo` on a shortened log: every chapter of the story is there."""

import json

import pytest
import zstandard
from tests.cli.story import call, easy

from stepdown.cli import demo
from stepdown.cli.demo import _bundled_calls


def test_the_bundled_files_are_whole():
    held_out = _bundled_calls()
    assert len(held_out) == 600
    assert all(line["response"]["choices"] for line in held_out)


def test_the_story_ends_with_the_bill(tmp_path, capsys, monkeypatch):
    def named(lines):
        return [line | {"metadata": {"stepdown_task": "mail"}} for line in lines]

    files = {
        "log.jsonl.zst": named(easy(1200)),
        "held_out.jsonl.zst": named(easy(30, seed=9)),
    }

    def bundled(name):
        text = "".join(json.dumps(line) + "\n" for line in files[name])
        return zstandard.ZstdCompressor().compress(text.encode())

    monkeypatch.setattr(demo, "_bundled", bundled)
    assert call("demo", "--workspace", tmp_path, "--json") == 0
    captured = capsys.readouterr()
    story = json.loads(captured.out)
    assert story["tasks"][0]["result"] == "promoted"
    assert story["served"][-1]["answered"] > 20
    before, after = story["bill"]
    assert after["usd"] < before["usd"]
    assert "human labels stand in" in " ".join(captured.err.split())
    assert (tmp_path / "demo" / "audit.html").is_file()


@pytest.mark.nightly
def test_the_whole_demo(tmp_path, capsys):
    assert call("demo", "--workspace", tmp_path, "--json") == 0
    story = json.loads(capsys.readouterr().out)
    assert [task["result"] for task in story["tasks"]] == ["promoted"] * 3
