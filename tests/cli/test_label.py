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


def test_an_unknown_task_and_what_goes_with_a_teacher_alone_are_exit_2(space, capsys):
    name = json.loads(next(space.glob("tasks/*/task.json")).read_text())["name"]
    assert call("label", "nobody", "--workspace", space) == 2
    for options in (("-n", 5), ("--max-usd", 1), ("--hold-unknown",), ("--dry-run",)):
        assert call("label", name, *options, "--workspace", space) == 2
        assert "go with --teacher" in capsys.readouterr().err
    assert call("label", name, "--teacher", "gpt-5.2", "--workspace", space) == 2
    assert "Nothing says where gpt-5.2 is asked" in capsys.readouterr().err
