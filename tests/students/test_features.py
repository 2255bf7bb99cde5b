"""Features: the numbers that scikit-learn gives, without it, for any text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from stepdown.core.tasks import Segment
from stepdown.students import features
from stepdown.students.features import MAX_CHARS, Featurizer, blocks_of, fit_vocabulary

TEXTS = [
    "Where is my new card?",
    "my card has not arrived yet, where is my card",
    "I'd like a refund for the second payment",
    "Größe und Straße: İstanbul ﬁne",
    "日本語 のテキスト 😀 a a a",
    "a b c d",
]


def one(text):
    return (Segment("user", text),)


@pytest.fixture(scope="module")
def vocabulary():
    return fit_vocabulary(TEXTS, 10_000)


def reference(vocabulary):
    """Return scikit-learn's two vectorizers with the same n-grams."""
    words = TfidfVectorizer(
        ngram_range=(1, 2),
        token_pattern=r"(?u)\w+",
        sublinear_tf=True,
        vocabulary=list(vocabulary.words),
    ).fit(TEXTS)
    chars = TfidfVectorizer(
        analyzer="char_wb",
        ngram_range=(2, 5),
        sublinear_tf=True,
        vocabulary=list(vocabulary.chars),
    ).fit(TEXTS)
    return words, chars


def dense(vocabulary, text):
    ids, weights, _, _ = vocabulary.weigh(text.lower().split())
    row = np.zeros(len(vocabulary))
    row[ids] = weights
    return row


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*" ".join(TEXTS).split(), " ", "ß", "\t"]) | st.text()))
def test_weights_are_scikit_learns(pieces):
    # One vocabulary for all examples: hypothesis and pytest's fixtures do not mix.
    vocabulary = fit_vocabulary(TEXTS, 10_000)
    text = " ".join(pieces)
    words, chars = reference(vocabulary)
    expected = np.hstack([part.transform([text]).toarray()[0] for part in (words, chars)])
    assert np.allclose(dense(vocabulary, text), expected, atol=1e-5)


def test_every_n_gram_is_there_when_there_is_room(vocabulary):
    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\w+").fit(TEXTS)
    chars = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5)).fit(TEXTS)
    assert set(vocabulary.words) == set(words.vocabulary_)
    assert set(vocabulary.chars) == set(chars.vocabulary_)


def test_a_full_vocabulary_keeps_the_most_frequent_and_whole_pairs():
    vocabulary = fit_vocabulary([f"common word{at}" for at in range(50)], 20)
    assert len(vocabulary) <= 20
    assert "common" in vocabulary.words
    singles = {word for word in vocabulary.words if " " not in word}
    assert all(set(word.split()) <= singles for word in vocabulary.words)


def test_rare_n_grams_are_left_out_of_large_sets():
    texts = ["the same words"] * 499 + ["once only"]
    assert "once" not in fit_vocabulary(texts, 1000).words
    assert "once" in fit_vocabulary(texts[1:], 1000).words


def test_counting_forgets_what_is_rare_when_there_is_too_much(monkeypatch):
    monkeypatch.setattr(features, "_COUNTED", 10)
    vocabulary = fit_vocabulary(["kept"] * 3 + [f"noise{at}" for at in range(30)], 1000)
    assert "kept" in vocabulary.words
    assert len(vocabulary.words) < 31


def test_the_share_of_known_words_is_told():
    featurizer = Featurizer.fit([one("red green"), one("red blue")], 100, None)
    found = featurizer.extract(one("red unheard of"))
    assert (found.words, found.known) == (3, pytest.approx(1 / 3))
    assert featurizer.extract(one("")).known == 0.0


def test_a_long_text_is_read_by_its_two_ends():
    middle = "middle " * MAX_CHARS
    featurizer = Featurizer.fit([one("start middle end")], 100, None)
    text = "start " * (MAX_CHARS // 12 + 1) + middle + "end " * MAX_CHARS
    words = featurizer.vocabularies[0].words
    ids = featurizer.extract(one(text)).ids
    seen = {words[at] for at in ids if at < len(words)}
    assert {"start", "end"} <= seen
    assert "middle" not in seen


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(codec=None), max_size=200))
def test_any_string_has_features(text):
    featurizer = Featurizer.fit([one(t) for t in TEXTS], 500, None)
    for given_text in (text, text * 2000):
        found = featurizer.extract(one(given_text))
        assert np.isfinite(found.weights).all()
        assert len(set(found.ids.tolist())) == len(found.ids)


def test_memory_of_tokens_is_bounded(monkeypatch, vocabulary):
    monkeypatch.setattr(features, "_REMEMBERED", 3)
    for at in range(10):
        vocabulary.weigh([f"t{at}", "x" * 100])
    assert len(vocabulary._seen) <= 3


def test_a_surrogate_in_training_leaves_words_that_can_be_written():
    vocabulary = fit_vocabulary(["bad \ud800 word"], 100)
    "".join(vocabulary.words + vocabulary.chars).encode()


HISTORY = Segment("history", "user: hello\nassistant: Which city?")


@pytest.mark.parametrize(
    ("given_input", "blocks"),
    [
        ((Segment("user", "a"),), ("a", "")),
        ((Segment("system", "a"),), ("a", "")),
        ((), ("", "")),
        ((HISTORY, Segment("user", "Paris")), ("Paris\n\nassistant: Which city?", "user: hello")),
        ((Segment("system", "s"), Segment("user", "u"), Segment("user", "v")), ("u\nv", "s")),
        ((Segment("system", "s"), Segment("system", "t")), ("s\nt", "")),
        ((Segment("history", "user: one"), Segment("user", "u")), ("u\nuser: one", "")),
    ],
)
def test_what_was_said_last_is_a_block_of_its_own(given_input, blocks):
    assert blocks_of(given_input) == blocks


def test_two_blocks_have_features_of_their_own():
    rows = [(Segment("system", "same"), Segment("user", "word"))] * 3
    featurizer = Featurizer.fit(rows, 100, None)
    assert len(featurizer.vocabularies) == 2
    swapped = (Segment("system", "word"), Segment("user", "same"))
    assert len(featurizer.extract(rows[0]).ids) == featurizer.size
    assert len(featurizer.extract(swapped).ids) < featurizer.size


def test_an_unexpected_second_block_is_read_with_the_first():
    featurizer = Featurizer.fit([one("alpha beta")], 100, None)
    given_input = (Segment("system", "alpha"), Segment("user", "beta"))
    assert featurizer.extract(given_input).known == 1.0


class Lengths:
    """Stands for the static table: a text's vector is its number of tokens."""

    size = 1

    def embed(self, tokens):
        return np.array([len(tokens)], np.float32)


def test_a_matrix_holds_the_same_features_row_by_row():
    inputs = [one(text) for text in TEXTS] + [(Segment("system", "s"), Segment("user", "u v"))]
    featurizer = Featurizer.fit(inputs, 500, Lengths())
    matrix = featurizer.matrix(inputs)
    for at, given_input in enumerate(inputs):
        found = featurizer.extract(given_input)
        row = np.zeros(featurizer.size, np.float32)
        row[found.ids] = found.weights
        assert np.array_equal(matrix.sparse[[at]].toarray()[0], row)
        assert np.array_equal(matrix.dense[at], found.dense)
        assert (matrix.words[at], matrix.known[at]) == (found.words, np.float32(found.known))
    assert matrix.dense[-1].tolist() == [2.0, 1.0]
    taken = matrix.take(np.array([2, 0]))
    assert (taken.sparse.toarray() == matrix.sparse.toarray()[[2, 0]]).all()
