"""Files of span models: what was saved comes back, what was damaged is refused."""

import json

import pytest

from stepdown.core.anatomy import Field
from stepdown.errors import ArtefactError
from stepdown.students.crf import CrfSettings
from stepdown.students.spans import load_spans, save_spans, train_spans

TEXTS = [f"call {name} at {n}" for n, name in enumerate(["Ann", "Bob Lee", "Cy", "Di"] * 5)]
RECORDS = [{"/name": " ".join(text.split()[1:-2]), "/at": int(text.split()[-1])} for text in TEXTS]


@pytest.fixture(scope="module")
def model():
    fields = [Field("/name", "copy"), Field("/at", "derived", "number"), Field("/why", "free")]
    return train_spans(TEXTS, RECORDS, fields, settings=CrfSettings(iterations=20))


def test_a_saved_model_guesses_alike(model, tmp_path):
    save_spans(model, tmp_path, "spans")
    loaded = load_spans(tmp_path, "spans")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spans.json", "spans.safetensors"]
    assert loaded.fields == model.fields
    for text in [*TEXTS, "call Eve Moe at 99", ""]:
        assert loaded.predict(text) == model.predict(text)


def change(name, value):
    def apply(described):
        described["layers"][0][name] = value

    return apply


def drop_lexicon(described):
    del described["layers"][0]["lexicon"]


def unknown_normaliser(described):
    described["layers"][0]["fields"][0]["normaliser"] = "magic"


@pytest.mark.parametrize(
    "damage",
    [
        drop_lexicon,
        unknown_normaliser,
        change("features", ["one"]),
        change("labels", ["O"]),
        change("labels", ["O", "B-0", "I-1", "B-1", "I-0"]),
        change("fields", []),
        lambda described: described.update(layers=described["layers"] * 2),
        lambda described: described.update(more=1),
    ],
)
def test_a_wrong_description_is_refused(model, tmp_path, damage):
    save_spans(model, tmp_path, "spans")
    path = tmp_path / "spans.json"
    described = json.loads(path.read_bytes())
    damage(described)
    path.write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(ArtefactError, match="train the student again"):
        load_spans(tmp_path, "spans")


@pytest.mark.parametrize("name", ["spans.json", "spans.safetensors"])
@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"x" + b])
def test_damaged_bytes_are_refused(model, tmp_path, name, damage):
    save_spans(model, tmp_path, "spans")
    path = tmp_path / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ArtefactError):
        load_spans(tmp_path, "spans")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ArtefactError, match="spans"):
        load_spans(tmp_path, "spans")
