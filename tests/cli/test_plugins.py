"""`stepdown plugins` as a command."""

import json

from tests.cli.story import call


def test_built_ins_are_listed_by_kind(tmp_path, capsys):
    assert call("plugins", "--workspace", tmp_path, "--json") == 0
    rows = json.loads(capsys.readouterr().out)["plugins"]
    assert any(row["name"] == "linear" and row["package"] == "stepdown" for row in rows)
    assert {row["kind"] for row in rows} == {"logs", "students", "providers", "engines"}


def test_the_table(tmp_path, capsys):
    assert call("plugins", "--workspace", tmp_path) == 0
    assert "native" in capsys.readouterr().out
