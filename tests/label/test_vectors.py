"""Texts that share words lie near each other."""

import numpy as np

from stepdown.label.vectors import vectors_of


def test_what_shares_words_is_near_and_all_have_length_one():
    texts = [
        "where is my new card",
        "is my new card here yet",
        "transfer money to an account abroad",
    ]
    vectors = vectors_of(texts)
    assert vectors.shape == (3, 1024)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    alike = vectors @ vectors.T
    assert alike[0, 1] > alike[0, 2] + 0.2
    assert (vectors_of(texts) == vectors).all()


def test_nothing_and_the_empty_text_have_vectors():
    assert vectors_of([]).shape == (0, 1024)
    assert np.isfinite(vectors_of(["", "a", "long " * 5000])).all()
