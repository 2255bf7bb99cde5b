"""`stepdown label` as a command."""

import json

from tests.cli.story import call


def test_the_split_is_printed(space, capsys):
    name = json.loads(next(space.glob("tasks/*/task.json")).read_text())["name"]
    assert call("label", name, "--workspace", space, "--json") == 0
    captured = capsys.readouterr()
    split = json.loads(captured.out)["split"]
    assert min(split["train"], split["calibration"], split["test"]) > 0
    assert f"stepdown train {name}" in captured.err


def test_an_unknown_task_and_a_paid_teacher_are_exit_2(space, capsys):
    assert call("label", "nobody", "--workspace", space) == 2
    assert call("label", "nobody", "--teacher", "gpt-5.2", "--workspace", space) == 2
    assert "pays no teacher" in capsys.readouterr().err
