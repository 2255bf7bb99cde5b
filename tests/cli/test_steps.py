"""Steps refuse what is missing and say which command makes it."""

import shutil
import tempfile

import pytest
from tests.cli.story import call, flip_last_byte

from stepdown import plugins
from stepdown.cli import steps
from stepdown.cli.ladder import train_task
from stepdown.cli.options import Session
from stepdown.config import Config
from stepdown.errors import ArtefactError, Refusal
from stepdown.students.linear import LinearFamily
from stepdown.workspace import Workspace
from stepdown.workspace.tries import next_try


def session(root):
    return Session(Workspace(root), Config())


def test_each_step_names_the_one_before(ran, tmp_path):
    call("audit", ran.log, "--workspace", tmp_path)
    here = session(tmp_path)
    (task,) = here.workspace.tasks()
    with pytest.raises(Refusal, match="stepdown label"):
        steps.current_dataset(here.workspace, task)
    with pytest.raises(Refusal, match="stepdown train"):
        steps.certify(here, task)
    with pytest.raises(Refusal, match="stepdown prove"):
        steps.promote(here, task)


def test_a_student_changed_on_disk_is_refused_everywhere(space):
    here = session(space)
    (task,) = here.workspace.tasks()
    manifest = steps.current_student(here.workspace, task)
    path = here.workspace.students(task.id) / manifest.id / manifest.files[0].name
    flip_last_byte(path)
    for step in (steps.certify, steps.promote):
        with pytest.raises(ArtefactError, match=path.name):
            step(here, task)


def test_a_proof_edited_on_disk_promotes_nothing(space):
    here = session(space)
    (task,) = here.workspace.tasks()
    path = here.workspace.newest(here.workspace.proofs(task.id), "*.json")
    path.write_bytes(path.read_bytes().replace(b'"threshold":0', b'"threshold":1', 1))
    with pytest.raises(ArtefactError):
        steps.promote(here, task)


def test_the_route_takes_the_gate_of_its_proof(space):
    here = session(space)
    (task,) = here.workspace.tasks()
    proof = steps.current_proof(here.workspace, task)
    route = steps.promote(here, task).routes[task.id]
    assert proof.certificate.novelty_cutoff is not None
    assert route.novelty_cutoff == proof.certificate.novelty_cutoff
    assert route.threshold == proof.certificate.threshold


def test_a_dataset_that_is_gone_is_said(space):
    here = session(space)
    (task,) = here.workspace.tasks()
    for path in here.workspace.folder(task.id).glob("dataset-*"):
        path.unlink()
    with pytest.raises(ArtefactError, match="stepdown label"):
        steps.certify(here, task)


def test_labelling_twice_gives_the_same_dataset(space):
    here = session(space)
    (task,) = here.workspace.tasks()
    first = steps.current_dataset(here.workspace, task)
    assert steps.label_task(here, task).id == first.id


def test_labelling_leaves_nothing_of_the_log_in_the_temporary_folder(space, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    here = session(space)
    for _ in steps.label_tasks(here, here.workspace.tasks()):
        assert list(tmp_path.glob("tmp*")) == list(tmp_path.glob("stepdown*")) == []


def test_c2_a_training_counts_that_was_never_proved_and_each_proof_opens_the_test_part(space):
    here = session(space)
    (task,) = here.workspace.tasks()
    dataset = steps.current_dataset(here.workspace, task)
    first = steps.current_proof(here.workspace, task)
    assert first is not None
    assert (first.certificate.attempt, first.opened) == (1, 1)
    known = {name: LinearFamily(name, static=False) for name in ("linear", "other")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins, "family", lambda name, scratch=None: known[name])
        # Trained and weighed on the calibration rows, and never proved.
        train_task(here, task, dataset, "other")
        last = train_task(here, task, dataset, "linear").manifest
        # The same once more is no new try.
        assert train_task(here, task, dataset, "linear").manifest.id == last.id
        proof = steps.certify(here, task)
    assert (proof.student, proof.certificate.attempt, proof.opened) == (last.id, 3, 2)
    for folder in here.workspace.students(task.id).iterdir():
        shutil.rmtree(folder)
    assert next_try(here.workspace.folder(task.id)) == 4
    page = (here.workspace.proofs(task.id) / f"{proof.id}.html").read_text()
    assert "opened 2 times so far" in page
