"""`stepdown train` as a command."""

import json

from tests.cli.story import call


def test_training_again_is_the_same_student(ran, space, capsys):
    (outcome,) = ran.printed["tasks"]
    assert call("train", outcome["name"], "--workspace", space, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["student"] == outcome["proof"]["student"]
    assert printed["family"] == "linear"
    assert printed["bytes"] > 1000


def test_an_unknown_family_is_exit_2(ran, space, capsys):
    (outcome,) = ran.printed["tasks"]
    arguments = ("train", outcome["name"], "--family", "giant", "--workspace", space)
    assert call(*arguments) == 2
    assert "linear" in capsys.readouterr().err
