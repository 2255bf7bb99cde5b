"""The ladder from outside: candidates share the confidence, and the table says why each fared."""

import math
import shutil
from pathlib import Path

import pytest
from tests.cli.story import call

from stepdown import plugins
from stepdown.cli import ladder, steps
from stepdown.cli.options import Session
from stepdown.config import Config
from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.datasets import Example
from stepdown.core.ports import Rehearsed
from stepdown.core.tasks import Signature, Task, Verdict
from stepdown.errors import ArtefactError
from stepdown.students.chain import Chain
from stepdown.students.linear import LinearFamily
from stepdown.train import Estimate, Prices, Rung
from stepdown.workspace import Workspace
from stepdown.workspace.artefacts import verify_student
from stepdown.workspace.tries import next_try


def test_the_climb_ends_when_what_is_left_is_worth_little():
    found = Estimate(1000, 0.95, 0.9)
    assert ladder._enough(found, Prices(), None) == ""
    assert ladder._enough(Estimate(1000, 0.999, 0.995), Prices(), None).startswith("not tried")
    dear, cheap = Prices(teacher_usd=3.0), Prices(teacher_usd=0.001)
    assert ladder._enough(found, dear, 1_000_000) == ""
    assert "a month" in ladder._enough(found, cheap, 1000)


def test_the_climb_ends_where_larger_rungs_are_no_better():
    nothing, hardly = Estimate(600, 0.25, 0.0), Estimate(600, 0.27, 0.0)
    assert ladder._stalled([nothing]) == ""
    assert ladder._stalled([nothing, hardly]).startswith("not tried")
    assert ladder._stalled([nothing, Estimate(600, 0.35, 0.0)]) == ""
    assert ladder._stalled([nothing, Estimate(600, 0.25, 0.2)]) == ""


def test_with_few_labels_the_encoder_is_tried_first_and_alone(monkeypatch):
    families = [LinearFamily(), LinearFamily(name="encoder"), LinearFamily(name="tuned")]
    monkeypatch.setattr(plugins, "ladder", lambda: families)
    monkeypatch.setattr(
        plugins, "family", lambda name, scratch=None: next(f for f in families if f.name == name)
    )
    anatomy = Anatomy("text", (Field("", "choice"),), 30, 1.0, 1.0)
    task = Task("t", "few", Signature(), anatomy, Verdict("distil"))
    session = Session(Workspace(Path("nowhere")), Config())

    def order(rows, labels):
        examples = [Example(str(at), (), {"": at % labels}) for at in range(rows)]
        return [f.name for f in ladder._families(session, task, None, examples)]

    assert order(80, 4) == ["linear", "encoder", "tuned"]
    assert order(79, 4) == ["encoder", "linear", "tuned"]
    against = ladder._against(task, Prices(), named=False)
    trained = Rung("encoder", 79, student="s")
    assert "the encoder alone" in against(families[0], [trained])
    # Where it could not be trained, the climb goes on as ever.
    assert against(families[0], [Rung("encoder", 79, skipped="No weights.")]) == ""


def test_students_that_can_not_be_joined_are_no_chain(monkeypatch):
    class Link:
        family = "linear"
        rehearsed = {"a": Rehearsed({}, 1.0)}  # noqa: RUF012

    assert ladder._chains([Link(), Link(), Link()], [], 0.02) == []


@pytest.fixture
def two_rungs(monkeypatch):
    """A ladder of two linear rungs, on which the climb never ends early."""
    small = LinearFamily(static=False)
    large = LinearFamily(name="larger", static=False, parameters=9)
    known = {"linear": small, "larger": large}
    monkeypatch.setattr(plugins, "ladder", lambda: [small, large])
    monkeypatch.setattr(plugins, "family", lambda name, scratch=None: known[name])
    monkeypatch.setattr(ladder, "_enough", lambda *told: "")


def test_rungs_and_their_chain_are_weighed_and_share_the_confidence(space, two_rungs):
    session = Session(Workspace(space), Config())
    task = session.workspace.tasks()[0]
    dataset = steps.current_dataset(session.workspace, task)
    trained = ladder.train_task(session, task, dataset, None)
    assert [step.rung for step in trained.steps] == ["linear", "larger", "linear → linear"]
    assert sum(step.taken for step in trained.steps) == 1
    assert all((step.coverage or 0) > 0.9 for step in trained.steps)
    assert trained.manifest.candidates == 3
    assert steps.current_student(session.workspace, task).id == trained.manifest.id
    proof = steps.certify(session, task)
    # `run` has proved one student of this task before: this is the second.
    assert (proof.certificate.candidates, proof.certificate.attempt) == (3, 2)
    whole = 0.05 * 6 / (math.pi * 2) ** 2
    assert proof.certificate.delta == pytest.approx(whole * trained.manifest.share)
    parts = [verify_student(folder).share for folder in trained.folder.parent.glob("*")]
    # The student of `run`, alone on its ladder, had all of it.
    assert sorted(parts) == pytest.approx([0.125, 0.125, 0.75, 1.0])
    assert steps.certify(session, task).id == proof.id


def test_a_published_chain_opens_proves_and_is_refused_when_a_link_is_gone(space, two_rungs):
    session = Session(Workspace(space), Config())
    task = session.workspace.tasks()[0]
    dataset = steps.current_dataset(session.workspace, task)
    chain = ladder.train_task(session, task, dataset, None).steps[2]
    opened = steps.open_student(session.workspace, task, chain.student)
    assert isinstance(opened, Chain)
    assert opened.id == chain.student
    example = dataset.part("test")[0]
    assert opened.predict(example.input).answer is not None
    shutil.rmtree(session.workspace.students(task.id) / opened.first.id)
    with pytest.raises(ArtefactError):
        steps.open_student(session.workspace, task, chain.student)


def test_c2_trainings_count_whose_students_are_removed(space, ran, two_rungs, monkeypatch):
    """By the command, where nothing was proved and all is made within one second."""
    name, task = (ran.printed["tasks"][0][key] for key in ("name", "task"))
    folder = Workspace(space).folder(task)
    for kept in ("students", "proofs"):
        shutil.rmtree(folder / kept)
    (folder / "tries.json").unlink()
    monkeypatch.setattr(steps, "now", lambda: "2026-01-01T00:00:00Z")

    def train(family):
        assert call("train", name, "--family", family, "--workspace", space) == 0

    train("linear")
    assert next_try(folder) == 2
    shutil.rmtree(folder / "students")
    train("larger")
    assert next_try(folder) == 3
    train("linear")  # the same student made again
    assert next_try(folder) == 3
    # What is made anew of them tells trainings of one second apart.
    (folder / "tries.json").unlink()
    assert next_try(folder) == 3
