"""Choice heads: the best class with its probability."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stepdown.students.choice import ChoiceHead, Labels, best_of
from stepdown.students.choice_training import softmax
from stepdown.students.features import Features

logits = arrays.arrays(np.float64, st.integers(2, 6), elements=st.floats(-30, 30, width=32))


@given(logits)
def test_the_best_class_has_its_softmax_probability(values):
    chosen, chances = best_of(values), softmax(values)
    assert chances.sum() == pytest.approx(1)
    assert chosen.probability == pytest.approx(chances.max())
    second = np.sort(chances)[-2]
    assert chosen.log_ratio == pytest.approx(min(20, np.log(chances.max() / second)), abs=1e-6)
    assert -1e-9 <= chosen.entropy <= np.log(len(values)) + 1e-6


def test_a_head_of_one_class_is_certain_without_looking():
    nothing = np.zeros((0, 1), np.float32)
    head = ChoiceHead(Labels(("only",)), nothing, nothing, np.zeros(1, np.float32))
    features = Features(np.zeros(0, np.intp), nothing[:, 0], nothing[:, 0], 0, 0.0)
    assert head.choose(features).probability == 1.0
