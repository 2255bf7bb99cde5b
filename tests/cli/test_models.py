"""`stepdown models` as a command."""

import json
import shutil

from tests.cli.story import call

from stepdown.students.catalogue import entry


def test_students_are_listed_with_their_route(ran, capsys):
    assert call("models", "--workspace", ran.workspace, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert "linear" in printed["families"]
    minilm = next(model for model in printed["models"] if model["name"] == "minilm-l6")
    assert minilm["licence"] == "Apache-2.0"
    assert len(minilm["origins"][0]["sha256"]) == 64
    assert [row["routed"] for row in printed["students"]] == [True]
    assert printed["students"][0]["rows"] > 100


def test_no_students_is_no_error(tmp_path, capsys):
    assert call("models", "--workspace", tmp_path) == 0
    told = capsys.readouterr()
    assert "linear" in told.err
    assert "minilm-l6" in told.out


def test_a_damaged_student_is_told_beside_the_others(space, capsys):
    (folder,) = space.glob("tasks/*/students/*")
    shutil.copytree(folder, folder.with_name("damaged"))
    (folder.with_name("damaged") / "manifest.json").write_text("{")
    assert call("models", "--workspace", space, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["student"] for row in printed["students"]] == [folder.name]
    assert "manifest" in printed["refused"][0]
    assert call("models", "--workspace", space) == 0
    assert "is refused" in capsys.readouterr().err


def test_figures_are_shown_with_their_units(tmp_path, capsys):
    assert call("models", "--workspace", tmp_path) == 0
    ms = entry("minilm-l6").figures["one input of 20 tokens in process, p50, ms"]
    shown = " ".join(capsys.readouterr().err.split())
    assert f"one input of 20 tokens in process, p50: {ms:g} ms" in shown
