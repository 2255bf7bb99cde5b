"""`stepdown status` as a command."""

import json
import shutil

from tests.cli.story import call


def test_a_run_workspace_shows_every_step(ran, capsys):
    assert call("status", "--workspace", ran.workspace, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["tasks"]
    (outcome,) = ran.printed["tasks"]
    assert row["student"] == outcome["proof"]["student"]
    assert row["certified"] is True
    assert row["mode"] == "live"
    assert row["captured"] == 0


def test_the_table_fits_100_columns(ran, capsys):
    assert call("status", "--workspace", ran.workspace) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_a_damaged_student_is_said_to_be_broken(ran, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(ran.workspace, copy)
    (weights,) = copy.glob("tasks/*/students/*/weights.safetensors")
    weights.chmod(0o600)
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert call("status", "--workspace", copy) == 0
    said = "".join(capsys.readouterr())
    assert "broken" in said
    assert "goes upstream: Student" in said


def test_terms_for_a_task_that_is_unknown_are_told(ran, tmp_path, capsys):
    (outcome,) = ran.printed["tasks"]
    file = tmp_path / "stepdown.toml"
    file.write_text(f"[tasks.{outcome['name']}x]\nerror_budget = 0.01\n")
    assert call("status", "--workspace", ran.workspace, "--config", file, "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["unknown_tasks"] == [f"{outcome['name']}x"]
    assert f"{file} has [tasks.{outcome['name']}x], but no task here is called so, yet." in err
    file.write_text(f"[tasks.{outcome['name']}]\nerror_budget = 0.01\n")
    assert call("status", "--workspace", ran.workspace, "--config", file, "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["unknown_tasks"] == []
    assert "no task here" not in err


def test_an_empty_workspace_says_where_to_begin(tmp_path, capsys):
    assert call("status", "--workspace", tmp_path) == 1
    assert "stepdown audit LOG" in capsys.readouterr().err
