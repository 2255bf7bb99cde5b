"""The look: n-grams as ever, and the pooled state, centred, as dense vectors."""

import numpy as np
import pytest

from stepdown.core.tasks import Segment
from stepdown.students.encoder.look import fitted
from stepdown.students.features import Featurizer

INPUTS = [(Segment("user", f"my {word} is lost"),) for word in ["card", "pin", "loan", "trip"]] * 5


@pytest.fixture
def look(session):
    return fitted(Featurizer.fit(INPUTS, 500, None), session, INPUTS)


def test_the_training_rows_are_centred(look):
    dense = look.matrix(INPUTS).dense
    assert dense.shape == (20, look.session.size)
    assert np.abs(dense.mean(axis=0)).max() < 1e-5


def test_what_was_kept_from_training_is_what_is_computed(look):
    kept = look.extract(INPUTS[0]).dense
    look.known.clear()
    assert np.array_equal(look.extract(INPUTS[0]).dense, kept)


def test_n_grams_are_those_of_the_linear_family(look):
    bare = Featurizer(look.vocabularies, None).extract(INPUTS[1])
    found = look.extract(INPUTS[1])
    assert np.array_equal(found.ids, bare.ids)
    assert np.array_equal(found.weights, bare.weights)
