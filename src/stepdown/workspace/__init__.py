"""A workspace: the folder that holds a team's tasks, datasets, students, proofs and policy.

```
calls.db · calls-<n>.db · labels.db · policy.json · keys.json · spend.db · columns.json
savings.json · gateway-*.json · forgotten.json · forgetting-*.json
tasks/<id>/{task.json, dataset-<id>.jsonl, doubts-<id>.jsonl, gold.jsonl, students/, proofs/}
```
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from stepdown.core.fingerprint import canonical_json
from stepdown.core.tasks import Task
from stepdown.errors import ArtefactError, Refusal, UsageError
from stepdown.workspace.files import publish_file

__all__ = ["Workspace"]


class Workspace(msgspec.Struct, frozen=True):
    """The layout of one workspace folder; nothing is made on disk before something is written."""

    root: Path

    @property
    def calls(self) -> Path:
        """The captured calls of the gateway."""
        return self.root / "calls.db"

    def outbox(self, worker: int) -> Path:
        """Where the worker of that number captures calls before they go to a database."""
        return self.calls if worker == 1 else self.root / f"calls-{worker}.db"

    def outboxes(self) -> dict[int, Path]:
        """The outboxes that are there, by their worker's number."""
        found = {1: self.calls} if self.calls.exists() else {}
        for path in self.root.glob("calls-*.db"):
            number = path.stem.removeprefix("calls-")
            if number.isdecimal():
                found[int(number)] = path
        return dict(sorted(found.items()))

    @property
    def policy(self) -> Path:
        """The routes."""
        return self.root / "policy.json"

    @property
    def keys(self) -> Path:
        """The virtual keys, hashed."""
        return self.root / "keys.json"

    @property
    def columns(self) -> Path:
        """Which field of a log tells what, where that was said."""
        return self.root / "columns.json"

    @property
    def forgotten(self) -> Path:
        """Who was forgotten, by mark."""
        return self.root / "forgotten.json"

    @property
    def spending(self) -> Path:
        """What keys have spent."""
        return self.root / "spend.db"

    @property
    def labels(self) -> Path:
        """The ledger of paid labels."""
        return self.root / "labels.db"

    @property
    def spool(self) -> Path:
        """Where a log that came on standard input is kept, to be read again."""
        return self.root / "logs"

    def folder(self, task: str) -> Path:
        """The folder of the task of that id."""
        return self.root / "tasks" / task

    def students(self, task: str) -> Path:
        """The folder that holds the task's students, one folder each."""
        return self.folder(task) / "students"

    def proofs(self, task: str) -> Path:
        """The folder that holds the task's proofs."""
        return self.folder(task) / "proofs"

    def write_task(self, task: Task) -> None:
        """Publish `task.json`."""
        publish_file(self.folder(task.id) / "task.json", canonical_json(task))

    def tasks(self) -> list[Task]:
        """Return every task of the workspace, by name.

        Raises:
            ArtefactError: a task.json is not a task.
        """
        found = [_read_task(path) for path in self.root.glob("tasks/*/task.json")]
        return sorted(found, key=lambda task: task.name)

    def task_names(self) -> dict[str, str]:
        """Return the tasks' names by id, without those that can't be read."""
        found = dict[str, str]()
        for path in self.root.glob("tasks/*/task.json"):
            with suppress(ArtefactError):
                task = _read_task(path)
                found[task.id] = task.name
        return found

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Return those of the names that no task has."""
        known = {task.name for task in self.tasks()}
        return [name for name in names if name not in known]

    def task(self, name: str) -> Task:
        """Return the task of that name or id.

        Raises:
            Refusal: the workspace has no tasks yet.
            UsageError: it has others.
        """
        tasks = self.tasks()
        if not tasks:
            raise Refusal(
                f"Workspace {self.root} has no tasks yet; run `stepdown audit LOG` first."
            )
        for task in tasks:
            if name in (task.name, task.id):
                return task
        known = ", ".join(task.name for task in tasks[:8])
        raise UsageError(f"There is no task {name!r}; this workspace has: {known}.")

    def newest(self, folder: Path, pattern: str) -> Path | None:
        """Return the file or folder in `folder` that was published last, or None."""
        found = [path for path in folder.glob(pattern) if not path.name.startswith(".")]
        return max(found, key=lambda path: (path.stat().st_mtime_ns, path.name), default=None)


def _read_task(path: Path) -> Task:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Task)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ArtefactError(
            f"tasks/{path.parent.name}/task.json is not a task ({error}); audit the log again."
        ) from error
