"""`stepdown models` as a command."""

import json

from tests.cli.story import call


def test_students_are_listed_with_their_route(ran, capsys):
    assert call("models", "--workspace", ran.workspace, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert "linear" in printed["families"]
    assert [row["routed"] for row in printed["students"]] == [True]
    assert printed["students"][0]["rows"] > 100


def test_no_students_is_no_error(tmp_path, capsys):
    assert call("models", "--workspace", tmp_path) == 0
    assert "linear" in capsys.readouterr().err
