"""Steps refuse what is missing and say which command makes it."""

import os
import tempfile

import pytest
from tests.cli.story import call, flip_last_byte

from stepdown.cli import steps
from stepdown.cli.options import Session
from stepdown.config import Config
from stepdown.errors import ArtefactError, Refusal
from stepdown.workspace import Workspace


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


def test_students_proved_within_one_second_keep_their_order(ran, tmp_path):
    call("audit", ran.log, "--workspace", tmp_path)
    here = session(tmp_path)
    (task,) = here.workspace.tasks()
    proofs = here.workspace.proofs(task.id)
    proofs.mkdir(parents=True)
    for at, name in enumerate(["z", "a", "m"]):
        path = proofs / f"{name}.json"
        path.write_text(f'{{"student": "{name}", "made_at": "2026-01-01T00:00:00Z"}}')
        os.utime(path, ns=(at, at))
    assert [steps.attempt(here, task, name) for name in ("z", "a", "m", "new")] == [1, 2, 3, 4]
