"""What was saved says the same; what is damaged is refused in one sentence."""

import json

import pytest

from stepdown.core.ports import silent
from stepdown.errors import ArtefactError
from stepdown.students.generative import FAMILY
from stepdown.students.generative.files import load_generative, save_generative
from stepdown.students.generative.training import train_generative
from stepdown.workspace.artefacts import publish_student, verify_student

from .conftest import FAST, TICKET_TASK, TOPIC_TASK, topics


@pytest.fixture(scope="module")
def student(folder):
    return train_generative(TOPIC_TASK, topics(60), str(folder), None, silent, FAST)


def test_it_says_the_same_after_loading(student, tmp_path):
    save_generative(student, tmp_path)
    again = load_generative(tmp_path, TOPIC_TASK)
    for row in topics(8, seed=3):
        one, two = student.predict(row.input), again.predict(row.input)
        assert one.record == two.record
        assert two.confidence == pytest.approx(one.confidence, abs=0.02)


def test_it_is_published_without_a_gguf(student, tmp_path):
    draft = {"task": "t", "dataset": "d", "contract": {}, "made_at": "2026-11-29"}
    made, manifest = publish_student(tmp_path, FAMILY, student, draft)
    assert "model.safetensors" in {file.name for file in manifest.files}
    assert verify_student(made) == manifest
    again = load_generative(made, TOPIC_TASK)
    row = topics(1, seed=3)[0]
    assert again.predict(row.input).record == student.predict(row.input).record
    # What was loaded can be saved again, without what is not its own.
    (tmp_path / "copy").mkdir()
    save_generative(again, tmp_path / "copy")
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {f.name for f in manifest.files}


def test_what_is_damaged_is_refused(student, tmp_path):
    save_generative(student, tmp_path)
    with pytest.raises(ArtefactError, match="another task"):
        load_generative(tmp_path, TICKET_TASK)
    path = tmp_path / "generative.json"
    whole = json.loads(path.read_text())
    for broken in ("{", json.dumps(whole | {"more": 1}), json.dumps(whole | {"format": 9})):
        path.write_text(broken)
        with pytest.raises(ArtefactError, match="damaged"):
            load_generative(tmp_path, TOPIC_TASK)


def test_a_named_server_answers_in_place_of_the_files(student, tmp_path, monkeypatch):
    save_generative(student, tmp_path)
    monkeypatch.setenv("STEPDOWN_GENERATE_URL", "http://127.0.0.1:9/v1")
    again = load_generative(tmp_path, TOPIC_TASK)
    assert not again.engine.piecewise
    assert "gave no answer" in again.predict(topics(1)[0].input).abstained
