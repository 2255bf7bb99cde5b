"""Static vectors: sums of token vectors of length 1, the hash that names them, and refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.errors import ArtefactError
from stepdown.students import static
from stepdown.students.static import StaticTable, find_static, require_static


class Pieces:
    """A tokenizer in which every character is a piece, named by its code point modulo 7."""

    def __init__(self):
        self.calls = 0

    def encode(self, text, add_special_tokens):
        assert not add_special_tokens
        self.calls += 1
        return type("Encoding", (), {"ids": [ord(letter) % 7 for letter in text]})


@pytest.fixture
def table():
    vectors = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    return StaticTable(vectors, Pieces(), "made up")


def test_a_text_is_the_sum_of_its_pieces_at_length_one(table):
    expected = sum(table.vectors[ord(letter) % 7] for letter in "abc")
    found = table.embed(["ab", "c"])
    assert np.allclose(found, expected / np.linalg.norm(expected), atol=1e-6)
    assert found.dtype == np.float32
    assert table.size == 4


def test_no_tokens_give_zeros(table):
    assert not table.embed([]).any()


def test_a_token_is_cut_into_pieces_once(table):
    table.embed(["word", "word"])
    table.embed(["word"])
    assert table._tokenizer.calls == 1


def test_memory_of_tokens_is_bounded(table, monkeypatch):
    monkeypatch.setattr(static, "_REMEMBERED", 3)
    for at in range(20):
        table.embed([f"t{at}"])
    assert len(table._pieces) <= 3


@given(st.lists(st.text(min_size=1)))
def test_any_tokens_have_length_one_or_zero(tokens):
    vectors = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    length = np.linalg.norm(StaticTable(vectors, Pieces(), "x").embed(tokens))
    assert length == pytest.approx(1, abs=1e-4) or length == pytest.approx(0, abs=1e-4)


def test_a_lone_surrogate_and_an_endless_token_are_embedded(table):
    assert np.isfinite(table.embed(["\ud800", "x" * 1_000_000])).all()


def test_a_student_without_its_vectors_is_refused(monkeypatch):
    monkeypatch.setattr(static, "find_static", lambda: None)
    with pytest.raises(ArtefactError, match=r"install stepdown\[static\]"):
        require_static("x")


def test_a_student_of_other_vectors_is_refused(monkeypatch, table):
    monkeypatch.setattr(static, "find_static", lambda: table)
    assert require_static("made up") is table
    with pytest.raises(ArtefactError, match="another version"):
        require_static("other")


def test_a_folder_without_the_files_has_no_table(tmp_path):
    assert static._read_table(tmp_path) is None


def test_damaged_files_are_no_table(tmp_path):
    pytest.importorskip("tokenizers")
    for name in (static._WEIGHTS, static._TOKENIZER):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"damaged")
    assert static._read_table(tmp_path) is None


def test_the_installed_table_tells_related_words_apart():
    table = find_static()
    if table is None:
        pytest.skip("the extra `static` is not installed")
    cat, kitten, invoice = (table.embed([word]) for word in ("cat", "kitten", "invoice"))
    assert cat @ kitten > cat @ invoice
    assert require_static(table.hash) is table
