"""The novelty model: even over ordinary inputs, near 1 for what training was unlike, in [0, 1]."""

import math
import random

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.students.novelty import Numbers, fit_novelty, restored

WORDS = "my order invoice parcel refund late broken account card please where when change"
KINDS = 6
SIZE = 12


def drawn(chance, kind):
    """An ordinary input: a text of the usual words, a vector near its class, its class's claim."""
    text = " ".join(chance.choices(WORDS.split(), k=chance.randint(4, 12)))
    vector = np.array([chance.gauss(0, 0.25) for _ in range(SIZE)], np.float32)
    vector[kind] += 1
    return text, vector, chance.gauss(3, 1)


def sample(rows, seed):
    chance = random.Random(seed)
    kinds = [chance.randrange(KINDS) for _ in range(rows)]
    texts, vectors, claims = zip(*(drawn(chance, kind) for kind in kinds), strict=True)
    return texts, np.array(vectors), np.array(claims), np.array(kinds)


def fitted(rows=1500, seed=0, claimed=True):
    texts, vectors, claims, kinds = sample(rows, seed)
    folds = np.arange(rows) % 3
    return fit_novelty(texts, vectors, folds, classes=kinds, claims=claims if claimed else None)


@pytest.fixture(scope="module")
def model():
    return fitted()


def scores(model, rows, claimed=True):
    texts, vectors, claims, _ = rows
    given_claims = claims.tolist() if claimed else [None] * len(texts)
    return np.array([model.score(*row) for row in zip(texts, vectors, given_claims, strict=True)])


def test_the_novelty_of_fresh_ordinary_inputs_is_even(model):
    got = scores(model, sample(3000, 9))
    for level in (0.1, 0.5, 0.9, 0.99):
        # Held-out rows stand for fresh ones: four standard errors and a little for the folds.
        slack = 4 * math.sqrt(level * (1 - level) / 1000) + 0.01
        assert (got <= level).mean() == pytest.approx(level, abs=slack)


@given(st.text(max_size=80), st.lists(st.floats(-9, 9), min_size=SIZE, max_size=SIZE))
def test_a_score_is_a_share(model, text, vector):
    for claim in (None, -50.0, 50.0, math.nan):
        assert 0.0 <= model.score(text, np.array(vector, np.float32), claim) <= 1.0


@given(st.floats(-60, 60), st.floats(-60, 60))
def test_the_less_it_is_claimed_the_more_novel(model, a, b):
    vector = np.eye(SIZE, dtype=np.float32)[0]
    loud, quiet = (model.score("where my order", vector, x) for x in (max(a, b), min(a, b)))
    assert loud <= quiet


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_farther_the_more_novel(model, a, b):
    def turned(share):
        return (1 - share) * np.eye(SIZE)[0] + share * np.eye(SIZE)[KINDS]

    near, far = (model.score("where my order", turned(x), 3.0) for x in sorted((a, b)))
    assert near <= far + 1e-9


ORDINARY = np.eye(SIZE, dtype=np.float32)[2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        "my refund " * 50,
        "a" * 100_000,
        "где моя посылка",
        "請問我的包裹在哪裡",
        "x",
    ],
    ids=["empty", "blank", "document", "noise", "script", "other script", "short"],
)
def test_texts_unlike_training_are_novel_whatever_their_vector(model, text):
    assert model.score(text, ORDINARY, 3.0) > 0.99
    assert model.score("where my late order please", ORDINARY, 3.0) < 0.9


def test_a_vector_that_is_far_from_every_class_is_novel(model):
    away = np.eye(SIZE, dtype=np.float32)[KINDS + 1]
    assert model.score("where my late order please", away, 3.0) > 0.99
    assert model.score("where my late order please", np.full(SIZE, np.nan), 3.0) > 0.999


def test_what_no_class_claims_is_novel(model):
    assert model.score("where my late order please", ORDINARY, -6.0) > 0.99


def test_a_word_that_training_hardly_had_makes_an_input_more_novel(model):
    own, other = (model.score(f"where my {word}", ORDINARY, 3.0) for word in ("order", "ordem"))
    assert own < other


def test_without_claims_or_classes_distance_alone_counts():
    texts, vectors, _, _ = sample(600, 0)
    model = fit_novelty(texts, vectors, np.arange(600) % 3)
    away = np.eye(SIZE, dtype=np.float32)[KINDS + 1]
    assert model.score(texts[0], vectors[0]) < 0.99 < model.score(texts[0], away)
    assert model.score(texts[0], vectors[0], -99.0) == model.score(texts[0], vectors[0])


def test_empty_inputs_are_ordinary_where_training_had_them():
    texts, vectors, _, _ = sample(600, 0)
    texts = [text if at % 4 else "" for at, text in enumerate(texts)]
    vectors[::4] = 0
    model = fit_novelty(texts, vectors, np.arange(600) // 2 % 3)
    assert model.score("", np.zeros(SIZE, np.float32)) < 0.99


def test_the_same_rows_give_the_same_model():
    one, two = fitted(200), fitted(200)
    assert one.numbers == two.numbers
    assert all(np.array_equal(one.arrays[k], two.arrays[k]) for k in one.arrays)


def test_rows_without_a_claim_fit_nothing_of_the_scale():
    texts, vectors, claims, kinds = sample(900, 3)
    folds = np.arange(900) % 3
    claims[folds > 0] = np.nan
    model = fit_novelty(texts, vectors, folds, classes=kinds, claims=claims)
    assert (scores(model, sample(1000, 4)) > 0.9).mean() == pytest.approx(0.1, abs=0.06)


@pytest.mark.parametrize("rows", [0, 1, 29])
def test_too_few_rows_give_no_model(rows):
    texts, vectors, _, _ = sample(rows, 0) if rows else ((), np.zeros((0, SIZE)), 0, 0)
    assert fit_novelty(texts, vectors, np.arange(rows) % 3) is None


def test_one_fold_can_hold_nothing_out():
    texts, vectors, _, _ = sample(60, 0)
    assert fit_novelty(texts, vectors, np.zeros(60, np.intp)) is None


def test_what_was_saved_scores_the_same(model):
    numbers = msgspec.json.decode(msgspec.json.encode(model.numbers), type=Numbers)
    again = restored(numbers, model.arrays, SIZE)
    rows = sample(50, 5)
    assert scores(again, rows).tolist() == scores(model, rows).tolist()


def test_what_can_not_be_a_model_is_refused(model):
    arrays, numbers = model.arrays, model.numbers
    odd = msgspec.structs.replace(numbers, spread=(0.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="numbers"):
        restored(odd, arrays, SIZE)
    with pytest.raises(ValueError, match="numbers"):
        restored(msgspec.structs.replace(numbers, centre=()), arrays, SIZE)
    for broken in (
        {},
        {**arrays, "centres": arrays["centres"].astype(np.float64)},
        {**arrays, "centres": arrays["centres"][:, :-1]},
        {**arrays, "centres": arrays["centres"][:0]},
        {**arrays, "shares": arrays["shares"][:-1]},
        {**arrays, "shares": np.full_like(arrays["shares"], np.nan)},
        {**arrays, "words": arrays["words"].astype(np.int64)},
        {**arrays, "words": arrays["words"][:-1]},
    ):
        with pytest.raises(ValueError, match="array"):
            restored(numbers, broken, SIZE)
