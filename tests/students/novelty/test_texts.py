"""A sketch of n-grams tells what training was unlike; saved and loaded it says the same."""

import random

import pytest

from stepdown.core.datasets import Example
from stepdown.core.tasks import Segment
from stepdown.errors import ArtefactError
from stepdown.students.novelty.texts import fit_texts, load_texts, save_texts

WORDS = ("my", "order", "invoice", "parcel", "refund", "late", "broken", "account", "card", "where")


def rows(count, seed=0):
    pick = random.Random(seed)
    return [
        Example(
            str(at), (Segment("user", " ".join(pick.choices(WORDS, k=pick.randint(4, 12)))),), {}
        )
        for at in range(count)
    ]


@pytest.fixture(scope="module")
def novelty():
    return fit_texts(rows(600))


def test_ordinary_texts_are_not_novel_and_others_are(novelty):
    usual = [novelty.score(row.input) for row in rows(100, seed=1)]
    assert sum(score > 0.95 for score in usual) < 20
    for text in ("Где моя посылка и когда она придёт", "", "SELECT * FROM users; -- " * 50):
        assert novelty.score((Segment("user", text),)) > 0.97


def test_it_says_the_same_after_loading(novelty, tmp_path):
    assert load_texts(tmp_path) is None
    save_texts(None, tmp_path)
    assert load_texts(tmp_path) is None
    save_texts(novelty, tmp_path)
    again = load_texts(tmp_path)
    assert again is not None
    for row in rows(20, seed=2):
        assert again.score(row.input) == novelty.score(row.input)


def test_too_few_texts_have_no_model():
    assert fit_texts([]) is None
    assert fit_texts(rows(5)) is None


def test_damaged_files_are_refused(novelty, tmp_path):
    save_texts(novelty, tmp_path)
    whole = (tmp_path / "novelty.safetensors").read_bytes()
    for damaged in (b"", whole[:60]):
        (tmp_path / "novelty.safetensors").write_bytes(damaged)
        with pytest.raises(ArtefactError, match="novelty model"):
            load_texts(tmp_path)
    (tmp_path / "novelty.safetensors").unlink()
    with pytest.raises(ArtefactError, match="novelty model"):
        load_texts(tmp_path)
