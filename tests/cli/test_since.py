"""`audit --since`."""

import json

from tests.cli.story import call, easy, write


def test_an_audit_beside_an_earlier_one(tmp_path, capsys):
    log = write(tmp_path / "log.jsonl", easy(200))
    assert call("audit", log, "--workspace", tmp_path / "w", "--json") == 0
    earlier = tmp_path / "earlier.json"
    earlier.write_text(capsys.readouterr().out)
    more = write(tmp_path / "more.jsonl", easy(400))
    options = ("--since", earlier, "--workspace", tmp_path / "w")
    assert call("audit", more, *options, "--json") == 0
    (change,) = json.loads(capsys.readouterr().out)["since"]["tasks"]
    assert change["change"] == "kept"
    assert call("audit", more, *options) == 0
    out = capsys.readouterr().out
    assert "Since the earlier audit" in out
    assert max(map(len, out.splitlines())) <= 100


def test_what_is_no_audit_is_said_before_the_work(tmp_path, capsys):
    other = tmp_path / "x.json"
    other.write_text("{}")
    for path in (other, tmp_path / "none.json"):
        assert call("audit", "nothing", "--since", path, "--workspace", tmp_path / "w") == 2
    assert "stepdown audit LOG --json" in capsys.readouterr().err
