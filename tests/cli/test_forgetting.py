"""What is left of a task's files is whole, and nothing that was to stay is gone."""

import msgspec
from tests.cli.story import SYSTEM

from stepdown.cli import steps
from stepdown.cli.forgetting import forget_in_task
from stepdown.cli.options import Session
from stepdown.config import Config
from stepdown.core.proofs import Confusion
from stepdown.label import load_dataset
from stepdown.prove import load_proof, save_proof
from stepdown.prove.archive import named
from stepdown.workspace import Workspace
from stepdown.workspace.tries import next_try, try_of


def test_rows_examples_and_proofs_that_show_them_go(space):
    session = Session(Workspace(space), Config())
    (task,) = session.workspace.tasks()
    (path,) = session.workspace.folder(task.id).glob("dataset-*.jsonl")
    rows = load_dataset(path.read_bytes()).examples
    begun = task.examples[0].partition(" → ")[0]
    told = forget_in_task(session, task, lambda row: False, {rows[0].id}, {begun})
    assert (told.rows, list(told.datasets)) == (1, [path.stem.removeprefix("dataset-")])
    (new,) = session.workspace.folder(task.id).glob("dataset-*.jsonl")
    left = load_dataset(new.read_bytes())
    assert left.examples == rows[1:]
    assert left.report.train + left.report.calibration + left.report.test == len(rows) - 1
    assert "1 rows were taken out" in left.report.notes[-1]
    (after,) = session.workspace.tasks()
    assert after.examples == task.examples[1:]
    assert SYSTEM in str(after.signature)
    assert list(told.students.values()) == [1]
    # No proof of this student shows a row: it made no mistake on the test rows, or others.
    again = forget_in_task(session, after, lambda row: False, {rows[0].id}, {begun})
    assert (again.rows, again.datasets, again.students) == (0, {}, {})


def test_a_removed_proof_keeps_its_share_of_the_confidence(space):
    session = Session(Workspace(space), Config())
    (task,) = session.workspace.tasks()
    folder = session.workspace.proofs(task.id)
    (path,) = folder.glob("*.json")
    proof = load_proof(path.read_bytes())
    wrong = Confusion("/", "a", "b", 1, 1, "words of theirs")
    test = msgspec.structs.replace(proof.test, confusions=(wrong,))
    path.unlink()
    proof = named(msgspec.structs.replace(proof, test=test))
    path = folder / f"{proof.id}.json"
    path.write_bytes(save_proof(proof))
    assert next_try(session.workspace.folder(task.id)) == 2
    told = forget_in_task(session, task, lambda row: False, (), {"words of theirs, and more"})
    assert told.proofs == [path.stem]
    assert "words" not in "".join(p.read_text() for p in folder.iterdir())
    assert try_of(session.workspace.folder(task.id), [proof.student]) == 1
    assert try_of(session.workspace.folder(task.id), ["another"]) == 2
    assert steps.current_proof(session.workspace, task) is None


def test_a_dataset_that_cannot_be_read_goes_as_a_whole(space):
    session = Session(Workspace(space), Config())
    (task,) = session.workspace.tasks()
    (path,) = session.workspace.folder(task.id).glob("dataset-*.jsonl")
    path.write_bytes(path.read_bytes()[:-9])
    forget_in_task(session, task, lambda row: False, (), ())
    assert list(session.workspace.folder(task.id).glob("dataset-*.jsonl")) == []
