"""From examples to a student with a tiny model: as safetensors, as GGUF, with free text in it."""

import pytest
import torch

from stepdown.core.ports import silent
from stepdown.core.tasks import Segment
from stepdown.errors import NotEnoughData, Unavailable
from stepdown.students.generative.local import LocalEngine
from stepdown.students.generative.port import EngineError
from stepdown.students.generative.training import train_generative

from .conftest import FAST, TICKET_TASK, TOPIC_TASK, tickets, topics


@pytest.mark.parametrize("kind", ["folder", "gguf_folder"])
def test_it_learns_labels(kind, request):
    folder = request.getfixturevalue(kind)
    student = train_generative(TOPIC_TASK, topics(240), str(folder), None, silent, FAST)
    rows = topics(30, seed=5)
    found = [student.predict(row.input) for row in rows]
    right = sum(p.record == row.record for p, row in zip(found, rows, strict=True))
    assert right >= 20
    assert all(0 < p.confidence <= 1 and p.answer is not None for p in found)
    assert 20 < len(student.rehearsed) < 80
    assert student.predict((Segment("user", "Где моя посылка?"),)).novelty > 0.95
    assert (student.files / "model.gguf").is_file() == (kind == "gguf_folder")


def test_free_text_is_written_beside_a_choice(folder):
    student = train_generative(TICKET_TASK, tickets(120), str(folder), None, silent, FAST)
    for row in tickets(6, seed=5):
        found = student.predict(row.input)
        assert found.record["/topic"] in ("cards", "loans", "travel") or found.abstained
        assert found.abstained or isinstance(found.record["/note"], str)


def test_too_few_rows_are_refused(folder):
    with pytest.raises(NotEnoughData, match="at least 20"):
        train_generative(TOPIC_TASK, topics(10), str(folder), None, silent, FAST)


def test_a_model_that_can_write_nothing_is_skipped_with_its_reason(folder, monkeypatch):
    def broken(self, prompt, options, *, line):
        raise EngineError("The model's output is not a number.")

    monkeypatch.setattr(LocalEngine, "choose", broken)
    with pytest.raises(Unavailable, match=r"no held-out answer\. The model's output is not"):
        train_generative(TOPIC_TASK, topics(60), str(folder), None, silent, FAST)


def test_a_gpu_that_is_asked_for_and_not_there_skips_the_rung(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("STEPDOWN_DEVICE", "cuda:1")
    with pytest.raises(Unavailable, match="not there"):
        train_generative(TOPIC_TASK, topics(60), str(folder), None, silent, FAST)
