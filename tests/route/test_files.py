"""A score on disk: what was saved is what is loaded, and what isn't a score is refused."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from stepdown.errors import ArtefactError
from stepdown.route.files import load_report, load_score, save_score
from stepdown.route.learn import learn
from stepdown.route.rows import prompted


class Two:
    hash = "two"
    size = 2

    def embed(self, tokens):
        return np.array([0.6, 0.8], np.float32)


@pytest.fixture(scope="module")
def learned(comparisons):
    return learn(comparisons, Two())


@pytest.fixture
def folder(learned, tmp_path):
    save_score(learned.score, learned.report, tmp_path)
    return tmp_path


def test_a_loaded_score_says_the_same(learned, folder):
    loaded = load_score(folder, Two)
    for text in ("prove the lemma", "greet the menu", ""):
        assert loaded(prompted(text)) == learned.score(prompted(text))
    assert load_report(folder) == learned.report


def test_the_vectors_it_was_fitted_with_have_to_be_there(folder):
    class Others(Two):
        hash = "others"

    for find in (lambda: None, Others):
        with pytest.raises(ArtefactError, match="vectors"):
            load_score(folder, find)


def test_another_version_s_features_are_refused(folder):
    path = folder / "score.json"
    saved = json.loads(path.read_bytes())
    path.write_text(json.dumps({**saved, "grams": 512}))
    with pytest.raises(ArtefactError, match="another version"):
        load_score(folder, Two)


@pytest.mark.parametrize("bad", [b"", b"no tensors"])
def test_damaged_tensors_are_refused(folder, bad):
    (folder / "score.safetensors").write_bytes(bad)
    with pytest.raises(ArtefactError, match="tensors"):
        load_score(folder, Two)


def test_tensors_of_another_size_or_not_numbers_are_refused(folder, learned):
    score = learned.score
    for weights in (score.weights[:-1], np.full_like(score.weights, np.nan)):
        save_file(
            {"weights": weights.copy(), "means": score.means, "scales": score.scales},
            folder / "score.safetensors",
        )
        with pytest.raises(ArtefactError, match="size"):
            load_score(folder, Two)


def test_a_file_that_is_no_form_is_refused(folder):
    (folder / "score.json").write_text("[]")
    with pytest.raises(ArtefactError, match="stepdown routing"):
        load_report(folder)
