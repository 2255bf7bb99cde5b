"""The workspace's complexity score: published under `routing/`, found, checked and opened."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from stepdown.cli.options import Session
from stepdown.core.fingerprint import fingerprint
from stepdown.core.ports import Complexity
from stepdown.errors import ArtefactError
from stepdown.render import say
from stepdown.route.features import text_of
from stepdown.route.files import load_report, load_score, save_score
from stepdown.route.report import Report
from stepdown.route.rows import Compared
from stepdown.route.score import Score
from stepdown.students.static import find_static
from stepdown.workspace import Workspace
from stepdown.workspace.artefacts import publish_student, verify_student

__all__ = ["newest_report", "open_score", "publish_score", "tell_score"]


class _Saver(NamedTuple):
    """Writes a score with its report as an artefact."""

    report: Report
    name: str = "complexity"

    def save(self, student: Any, folder: Path) -> None:
        save_score(cast("Score", student), self.report, folder)


def publish_score(
    workspace: Workspace, score: Score, report: Report, rows: Sequence[Compared], made_at: str
) -> str:
    """Publish a score with its report, useful or not, and return its name."""
    learnt = fingerprint([(text_of(row.request), row.hard) for row in rows])
    draft: dict[str, Any] = {"task": "", "dataset": learnt, "contract": {}, "made_at": made_at}
    # The artefact's door is the students': a manifest with every file's hash, whole or not at all.
    folder, _ = publish_student(_folder(workspace), _Saver(report), cast("Any", score), draft)
    return folder.name


def _folder(workspace: Workspace) -> Path:
    return workspace.root / "routing"


def newest_report(workspace: Workspace) -> tuple[str, Report] | None:
    """Return the name and the report of the newest score, or None without one.

    Raises:
        ArtefactError: it is damaged.
    """
    folder = workspace.newest(_folder(workspace), "*")
    return None if folder is None else (folder.name, load_report(_verified(folder)))


def open_score(workspace: Workspace) -> tuple[Complexity | None, str]:
    """Return the newest score, ready; or None, with a sentence that says why there is none."""
    folder = workspace.newest(_folder(workspace), "*")
    if folder is None:
        return None, "no score was fitted; run `stepdown routing`."
    try:
        report = load_report(_verified(folder))
        if not report.usable:
            return None, f"the fitted score is switched off. {report.why}"
        return load_score(folder, find_static), ""
    except ArtefactError as damaged:
        return None, f"there is no score to go by. {damaged}"


def tell_score(session: Session) -> None:
    """Say in one line what the newest score is worth, if there is one, and whether it is used."""
    try:
        found = newest_report(session.workspace)
    except ArtefactError as damaged:
        say(str(damaged))
        return
    if found is not None:
        name, report = found
        used = "on" if session.config.routing.enabled else "off"
        state = f"[routing] is {used}" if report.usable else "not usable, so it is off"
        say(f"Complexity score {name}: {report.headline}; {state}.")


def _verified(folder: Path) -> Path:
    try:
        verify_student(folder)
    except ArtefactError as error:
        raise ArtefactError(
            f"The complexity score in routing/{folder.name} is missing a file or was changed; fit "
            "it again with `stepdown routing`."
        ) from error
    return folder
