"""The joined scores: what the words' chain forbids stays forbidden, a share of 0 silences it."""

import numpy as np

from stepdown.students.crf import Crf
from stepdown.students.tuned.finish import _joined

CHAIN = np.array([[0.0, 0.0, -1e4], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
CRF = Crf(("O", "B-0", "I-0"), {"w=a": 0}, np.ones((1, 3), np.float32), CHAIN, CHAIN[0])


def test_scores_are_added_by_their_share():
    made = _joined(CRF, CHAIN, CHAIN[0], 0.5)
    assert made.emissions.tolist() == [[0.5] * 3]
    assert made.transitions[1, 2] == 1.5
    assert made.transitions[0, 2] < -1e3
    assert made.start[2] < -1e3


def test_a_share_of_nothing_leaves_the_network_alone():
    made = _joined(CRF, CHAIN, CHAIN[0], 0.0)
    assert made.rows == {}
    assert made.emissions.shape == (0, 3)
    assert made.transitions.tolist() == CHAIN.tolist()
