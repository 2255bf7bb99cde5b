"""A budget that the teacher itself can't keep is refused before anything is trained."""

from tests.cli.story import call

from stepdown.core.ceilings import ceiling_of
from stepdown.workspace import Workspace
from stepdown.workspace.ceilings import publish_ceiling

A, B = {"": "cards"}, {"": "loans"}


def test_training_is_refused_until_a_larger_budget_is_stated(space, capsys):
    task = Workspace(space).tasks()[0]
    path = space / "tasks" / task.id / "ceiling.json"
    publish_ceiling(path, ceiling_of([(A, A)] * 80 + [(A, B)] * 20, "gpt-5.2"))
    options = ("--workspace", space, "--family", "linear", "--yes")
    assert call("train", task.name, *options) == 1
    err = capsys.readouterr().err
    assert "same answer in only 80.0 %" in err
    assert "--budget" in err
    assert call("train", task.name, *options, "--budget", "0.2") == 0
    # The proof says so too, and is none.
    assert call("prove", task.name, "--workspace", space) == 1
    out = capsys.readouterr().out
    assert "teacher agrees with itself" in out
    assert "100 items by gpt-5.2, asked 2 times each" in " ".join(out.split())
