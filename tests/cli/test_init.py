"""The surface of DESIGN §3.1: commands, exit statuses, and errors as one sentence."""

import importlib
import json
import subprocess
import sys

import click
import pytest

from stepdown import cli
from stepdown.cli import COMMANDS, main
from stepdown.cli.options import FiniteRange


def status_of(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code


def test_help_lists_every_command_without_importing_one(capsys):
    assert status_of("--help") == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in COMMANDS)


def commands():
    """Yield the words of every command; those of a group are its own, not the group."""
    for name, entry in COMMANDS.items():
        module = importlib.import_module(f"stepdown.cli.{entry.module}")
        found = getattr(module, entry.attribute)
        yield from (
            ((name, own) for own in found.commands) if hasattr(found, "commands") else [(name,)]
        )


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_has_help_and_the_common_options(words, capsys):
    assert status_of(*words, "--help") == 0
    out = capsys.readouterr().out
    for option in ("--workspace", "--budget", "--contract", "--confidence", "--engine", "--json"):
        assert option in out


def test_bad_usage_is_exit_2(capsys, tmp_path):
    assert status_of("conjure") == 2
    assert status_of("audit") == 2
    assert status_of("audit", "x", "--budget", "7") == 2
    assert "7" in capsys.readouterr().err


NUMBERS = [
    ("audit", "x", "--budget"),
    ("run", "x", "--confidence"),
    ("serve", "--budget"),
    ("label", "t", "--teacher", "m", "--max-usd"),
    ("canary", "t", "--share"),
    ("keys", "add", "bob", "--usd-per-day"),
    ("keys", "add", "bob", "--usd-total"),
]


@pytest.mark.parametrize("words", NUMBERS, ids=" ".join)
@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e999"])
def test_no_option_takes_what_is_no_finite_number(words, number, capsys, tmp_path):
    assert status_of(*words, number, "--workspace", str(tmp_path)) == 2
    assert "Invalid value" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def options_of(command):
    """Yield the options of a command and of those in it."""
    yield from command.params
    for name in getattr(command, "commands", {}):
        yield from options_of(command.commands[name])


def test_every_range_of_numbers_is_finite():
    for entry in COMMANDS.values():
        module = importlib.import_module(f"stepdown.cli.{entry.module}")
        for option in options_of(getattr(module, entry.attribute)):
            kind = option.type
            assert not isinstance(kind, click.types.FloatParamType) or isinstance(kind, FiniteRange)


def test_a_refusal_is_one_sentence_and_with_json_an_object(capsys, tmp_path):
    assert status_of("status", "--workspace", str(tmp_path), "--json") == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["type"] == "Refusal"
    assert captured.err.startswith("stepdown: Workspace ")
    assert captured.err.count("\n") == 1


def test_ctrl_c_is_130(monkeypatch):
    def stop(*_, **__):
        raise click.Abort

    monkeypatch.setattr(cli._stepdown, "main", stop)
    assert status_of("status") == 130


def test_importing_the_command_line_loads_no_room():
    code = (
        "import sys, stepdown.cli;"
        "print([n for n in sys.modules if n.startswith(('numpy', 'sklearn', 'stepdown.'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['stepdown.errors', 'stepdown.cli.ending', 'stepdown.cli']"
