"""P-1 beyond the gateway: what the configuration takes out is in no file that commands write."""

import json

from tests.cli.story import SYSTEM, call, easy, write
from tests.core.test_redaction import CREDENTIALS

from stepdown.cli.options import Session
from stepdown.cli.privacy import cleaner, screen_of
from stepdown.config import Config, StoreConfig
from stepdown.core.people import mark_of
from stepdown.workspace import Workspace
from stepdown.workspace.forgotten import note_forgotten

SECRET = CREDENTIALS["openai"]


def session(root, **store):
    return Session(Workspace(root), Config(store=StoreConfig(**store)))


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_configuration_says_what_is_taken_out(tmp_path):
    line = json.dumps({"t": f"{SECRET} ann@example.org"}).encode()
    assert cleaner(session(tmp_path))(line) == b'{"t": "[redacted key] ann@example.org"}'
    emails = cleaner(session(tmp_path, redact=("emails",)))(line)
    assert b"ann@" not in emails
    assert SECRET.encode() in emails


def test_a_screen_passes_over_who_was_forgotten(tmp_path):
    mine = session(tmp_path)
    line = json.dumps({"request": {"user": "ann", "text": SECRET}}).encode()
    assert SECRET.encode() not in (screen_of(mine)(line) or b"")
    note_forgotten(mine.workspace.forgotten, {mark_of("ann"): 1.0})
    assert screen_of(mine)(line) is None
    assert screen_of(mine)(line.replace(b"ann", b"bob")) is not None


def test_p1_a_run_leaves_no_secret_in_the_workspace(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    config = '[store]\nredact = ["credentials", "emails"]\n'
    (tmp_path / "stepdown.toml").write_text(config, encoding="utf-8")
    lines = list(easy(700))
    for number, one in enumerate(lines):
        system, asked = one["request"]["messages"]
        system["content"] = f"{SYSTEM} Our key is {SECRET}, ask desk@example.org."
        asked["content"] += f" {CREDENTIALS['github']}" if number % 3 else " ann@example.org"
        one["request"]["user"] = f"user{number % 50}@example.org"
    log = write(tmp_path / "log.jsonl", lines)
    status = call("run", log, "--workspace", tmp_path / "w")
    told = capsys.readouterr()
    assert status == 0, told.err
    files = everything(tmp_path / "w")
    assert len(files) > 5
    hidden = (SECRET, CREDENTIALS["github"], "@example.org")
    found = [
        (path.name, one) for path, data in files.items() for one in hidden if one.encode() in data
    ]
    assert found == []
    assert not [one for one in hidden if one in told.out + told.err]
    # One person is still told from another.
    (dataset,) = (tmp_path / "w").glob("tasks/*/dataset-*.jsonl")
    header = json.loads(dataset.read_bytes().split(b"\n")[0])
    assert (
        header["report"]["notes"][-1] == "Taken out before it was learnt from: credentials+emails."
    )
    (manifest,) = (tmp_path / "w").glob("tasks/*/students/*/manifest.json")
    assert json.loads(manifest.read_bytes())["training"]["redacted"] == "credentials+emails"
