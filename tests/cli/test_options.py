"""Common options settle into one session; what isn't there is refused."""

import json
from pathlib import Path

import click
from click.testing import CliRunner

from stepdown.cli.options import Session, common, print_json
from stepdown.config import Config
from stepdown.errors import ConfigError, PluginError
from stepdown.workspace import Workspace


def made():
    seen = []

    @click.command()
    @common
    def command(session):
        seen.append(session)

    return command, seen


def test_options_and_environment_settle_into_a_session(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stepdown.toml").write_text("[tasks.a]\nerror_budget = 0.01\n")
    command, seen = made()
    runner = CliRunner(env={"STEPDOWN_WORKSPACE": str(tmp_path / "w")})
    assert runner.invoke(command, ["--contract", "selective", "--json"]).exit_code == 0
    session = seen[0]
    assert session.workspace.root == tmp_path / "w"
    assert session.json
    assert session.terms("a").error_budget == 0.01
    assert session.terms("a").contract == "selective"
    assert session.terms("b").confidence == 0.95


def test_a_configuration_that_is_named_has_to_be_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command, seen = made()
    assert CliRunner().invoke(command, []).exit_code == 0
    assert seen[0].config == Config()
    result = CliRunner().invoke(command, ["--config", "stepdown.toml"])
    assert isinstance(result.exception, ConfigError)
    assert "no configuration at stepdown.toml" in str(result.exception)


def test_an_engine_that_is_not_there_is_said():
    command, _ = made()
    result = CliRunner().invoke(command, ["--engine", "rey"])
    assert isinstance(result.exception, PluginError)
    assert "local, ray" in str(result.exception)


def test_an_engine_is_made_for_the_command_and_ended_with_it(monkeypatch):
    ended = []
    monkeypatch.setattr("stepdown.engines.ray.Ray.close", lambda engine: ended.append(engine))
    command, seen = made()
    assert CliRunner().invoke(command, ["--engine", "ray"]).exit_code == 0
    assert CliRunner().invoke(command, []).exit_code == 0
    assert [session.engine.name for session in seen] == ["ray", "local"]
    assert ended == [seen[0].engine]


def test_one_json_object_is_printed_with_its_characters(capsys):
    print_json({"label": "Zürich ☂"})
    assert json.loads(capsys.readouterr().out) == {"label": "Zürich ☂"}


def test_a_next_command_reaches_the_same_workspace(tmp_path, monkeypatch):
    monkeypatch.delenv("STEPDOWN_WORKSPACE", raising=False)
    here = Session(Workspace(tmp_path / "a b"), Config())
    assert here.typed("stepdown serve") == f"stepdown serve --workspace '{tmp_path}/a b'"
    assert Session(Workspace(Path(".stepdown")), Config()).typed("stepdown x") == "stepdown x"
    monkeypatch.setenv("STEPDOWN_WORKSPACE", str(tmp_path / "a b"))
    assert here.typed("stepdown serve") == "stepdown serve"


def test_a_next_command_reads_the_same_configuration(tmp_path, monkeypatch):
    monkeypatch.delenv("STEPDOWN_WORKSPACE", raising=False)
    other = Session(Workspace(Path(".stepdown")), Config(), config_file=tmp_path / "my own.toml")
    assert other.typed("stepdown x") == f"stepdown x --config '{tmp_path}/my own.toml'"
