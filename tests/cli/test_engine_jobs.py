"""Rungs, rows and tasks side by side give the datasets, students and proofs of one process."""

import json

import msgspec
import pytest
from tests.cli.story import easy, line, write
from tests.cli.test_sharding import Beside

from stepdown.cli import engine_jobs, ladder, run, steps
from stepdown.cli.options import Session
from stepdown.config import Config
from stepdown.core.ports import silent
from stepdown.errors import NotEnoughData
from stepdown.students.linear import LinearFamily
from stepdown.workspace import Workspace

TIMED = ("made_at", "latency", "economics", "seal")


def two_tasks(path):
    """A log of two easy tasks."""
    lines = list(easy(1000))
    system = "Which desk is this for? Reply with one word."
    for number, item in enumerate(easy(900, seed=5), 1000):
        text, answer = item["request"]["messages"][1]["content"], item["response"]["choices"][0]
        lines.append(line(number, text, answer["message"]["content"].upper(), system, count=1900))
    return str(write(path, lines))


def proofs(workspace):
    """Return what the proofs say, but for times and what follows from them."""
    found = []
    for path in sorted(workspace.root.glob("tasks/*/proofs/*.json")):
        proof = json.loads(path.read_bytes())
        found.append({key: value for key, value in proof.items() if key not in TIMED})
    return sorted(found, key=lambda proof: proof["task"])


def names(workspace, pattern):
    return sorted(str(path.relative_to(workspace.root)) for path in workspace.root.glob(pattern))


def made(workspace):
    """Return all that a run leaves, without times."""
    route = json.loads((workspace.root / "policy.json").read_bytes())["routes"]
    return (
        names(workspace, "tasks/*/dataset-*.jsonl"),
        names(workspace, "tasks/*/students/*/*"),
        proofs(workspace),
        {task: (one["student"], one["threshold"]) for task, one in route.items()},
    )


def ran(root, log, engine=None):
    session = Session(Workspace(root), Config())
    if engine is not None:
        session = msgspec.structs.replace(session, engine=engine)
    report = steps.audit_log(session, [log])
    return session, run.run_tasks(session, report, silent, "linear")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    log = two_tasks(folder / "log.jsonl")
    return log, *ran(folder / "w", log)


def test_tasks_side_by_side_end_as_one_after_another(alone, tmp_path):
    log, session, outcomes = alone
    engine = Beside(behind=2)
    several, found = ran(tmp_path / "w", log, engine)
    assert [outcome.result for outcome in outcomes] == ["promoted", "promoted"]
    assert [(o.task, o.result, o.why) for o in found] == [
        (o.task, o.result, o.why) for o in outcomes
    ]
    assert made(several.workspace) == made(session.workspace)
    assert engine.asked > 2


class Slow(msgspec.Struct, frozen=True):
    """A family that the climb comes to only where it wants more."""

    name: str = "slow"
    parameters: int = 5

    def train(self, task, examples, progress=silent):
        raise NotEnoughData("It wants a million rows.")


def test_rungs_side_by_side_are_those_of_the_climb(alone, monkeypatch):
    _, session, _ = alone
    task = session.workspace.tasks()[0]
    families = [LinearFamily(), Slow()]
    monkeypatch.setattr(ladder, "_families", lambda *given: families)
    monkeypatch.setattr(ladder, "_against", lambda *given, named: lambda family, rungs: "")
    dataset = steps.current_dataset(session.workspace, task)
    before = names(session.workspace, f"tasks/{task.id}/students/*/*")
    one = ladder.train_task(session, task, dataset, None)
    several = msgspec.structs.replace(session, engine=Beside(behind=2))
    other = ladder.train_task(several, task, dataset, None)
    assert other.manifest.id == one.manifest.id
    assert [step.why for step in other.steps] == [step.why for step in one.steps]
    assert other.doubted == one.doubted
    assert names(session.workspace, f"tasks/{task.id}/students/*/*") == before
    assert names(session.workspace, f"tasks/{task.id}/scratch/*") == []


def test_a_rung_with_a_reason_against_it_is_not_given_away(alone, monkeypatch):
    _, session, _ = alone
    task = session.workspace.tasks()[0]
    engine = Beside(behind=1)
    several = msgspec.structs.replace(session, engine=engine)
    examples = steps.current_dataset(session.workspace, task).part("train")
    families = [Slow(name="a"), Slow(name="b")]
    with engine_jobs.rungs_beside(
        several, task, families, examples, lambda family, rungs: "no" if rungs else ""
    ) as tried:
        assert tried is not None
        assert "a million" in tried(families[0]).skipped
        # The climb asks all the same where its own rungs leave no reason.
        assert "a million" in tried(families[1]).skipped
    assert engine.asked == 1


def test_rows_answered_by_workers_are_answered_alike(alone):
    _, session, _ = alone
    task = session.workspace.tasks()[1]
    first = steps.certify(session, task)
    second = steps.certify(msgspec.structs.replace(session, engine=Beside()), task)
    assert (second.certificate, second.test) == (first.certificate, first.test)
