"""The workspace's layout is DESIGN §3.4's."""

import pytest

from stepdown.core.anatomy import Anatomy
from stepdown.core.tasks import Signature, Task, Verdict
from stepdown.errors import ArtefactError, Refusal, UsageError
from stepdown.workspace import Workspace


def task(name):
    return Task(f"t-{name}", name, Signature(), Anatomy("text", (), 0, 0, 0), Verdict("distil"))


def test_tasks_are_found_by_name_and_id(tmp_path):
    space = Workspace(tmp_path)
    for name in ("b", "a"):
        space.write_task(task(name))
    assert [t.name for t in space.tasks()] == ["a", "b"]
    assert space.task("a") == space.task("t-a") == task("a")
    assert (tmp_path / "tasks" / "t-a" / "task.json").is_file()


def test_an_empty_workspace_and_an_unknown_name_say_what_to_do(tmp_path):
    space = Workspace(tmp_path)
    with pytest.raises(Refusal, match="stepdown audit"):
        space.task("a")
    space.write_task(task("a"))
    with pytest.raises(UsageError, match="has: a"):
        space.task("b")


def test_a_damaged_task_is_named(tmp_path):
    space = Workspace(tmp_path)
    space.write_task(task("a"))
    (tmp_path / "tasks" / "t-a" / "task.json").write_bytes(b"\xff")
    with pytest.raises(ArtefactError, match="t-a"):
        space.tasks()


def test_the_newest_file_is_the_one_published_last(tmp_path):
    space = Workspace(tmp_path)
    assert space.newest(tmp_path, "*.json") is None
    (tmp_path / "x.json").write_text("1")
    (tmp_path / ".tmp-x.json").write_text("1")
    assert space.newest(tmp_path, "*.json") == tmp_path / "x.json"


def test_outboxes_by_their_workers(tmp_path):
    workspace = Workspace(tmp_path)
    assert workspace.outboxes() == {}
    for worker in (1, 2, 12):
        workspace.outbox(worker).touch()
    (tmp_path / "calls-old.db").touch()
    assert [path.name for path in workspace.outboxes().values()] == [
        "calls.db",
        "calls-2.db",
        "calls-12.db",
    ]
    assert list(workspace.outboxes()) == [1, 2, 12]
