"""`stepdown status` as a command."""

import json

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


def test_an_empty_workspace_says_where_to_begin(tmp_path, capsys):
    assert call("status", "--workspace", tmp_path) == 1
    assert "stepdown audit LOG" in capsys.readouterr().err
