"""The CRF: inference agrees with enumeration of every labelling, training learns a toy grammar."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdown.students.crf import CrfSettings, fit_crf, forward, posterior, score, viterbi
from stepdown.students.crf import _weights as arrange

LABELS = ("O", "B-0", "I-0", "B-1", "I-1")
WEIGHTS = st.floats(-3, 3)


@st.composite
def problems(draw):
    """Return (crf, scores) with random weights for up to five tokens."""
    steps = {
        (a, b): draw(WEIGHTS) for a in LABELS for b in LABELS if b[0] != "I" or a[2:] == b[2:] != ""
    }
    length = draw(st.integers(1, 5))
    state = {(f"w{t}", label): draw(WEIGHTS) for t in range(length) for label in LABELS}
    crf = arrange(set(LABELS), state, steps)
    return crf, score(crf, [[f"w{t}", "unknown"] for t in range(length)])


def enumerate_paths(crf, scores):
    """Return {path: weight} of every labelling, by the definition."""
    paths = itertools.product(range(len(crf.labels)), repeat=len(scores))
    return {
        path: np.exp(
            crf.start[path[0]]
            + sum(scores[t, label] for t, label in enumerate(path))
            + sum(crf.transitions[a, b] for a, b in itertools.pairwise(path))
        )
        for path in paths
    }


@settings(max_examples=25, deadline=None)
@given(problems(), st.data())
def test_forward_sums_what_a_restriction_allows(problem, data):
    crf, scores = problem
    paths = enumerate_paths(crf, scores)
    size = len(scores) * len(crf.labels)
    flags = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    allowed = np.array(flags).reshape(len(scores), 1, len(crf.labels))
    kept = sum(
        weight
        for path, weight in paths.items()
        if all(allowed[t, 0, label] for t, label in enumerate(path))
    )
    within = forward(crf, scores, allowed.astype(float)).within[0]
    assert within == pytest.approx(kept / sum(paths.values()), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(problems())
def test_marginals_and_stays_are_shares_of_paths(problem):
    crf, scores = problem
    paths = enumerate_paths(crf, scores)
    total = sum(paths.values())
    free = np.ones((len(scores), 0, len(crf.labels)))
    post = posterior(crf, scores, forward(crf, scores, free).alphas)
    for t, label in itertools.product(range(len(scores)), range(len(crf.labels))):
        share = sum(w for path, w in paths.items() if path[t] == label)
        assert post.marginals[t, label] == pytest.approx(share / total, abs=1e-9)
        if t and label:
            inside = crf.labels.index(f"I-{crf.labels[label][2:]}")
            before = sum(w for path, w in paths.items() if path[t - 1] == label)
            both = sum(w for p, w in paths.items() if p[t - 1] == label and p[t] == inside)
            if before > 1e-9:
                assert post.stays[t, label] == pytest.approx(both / before, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(problems())
def test_viterbi_is_the_best_path(problem):
    crf, scores = problem
    paths = enumerate_paths(crf, scores)
    assert paths[tuple(viterbi(crf, scores))] == pytest.approx(max(paths.values()))


def test_long_sequences_neither_overflow_nor_vanish():
    crf = arrange(set(LABELS), {("a", "B-0"): 90.0, ("a", "I-0"): 800.0}, {("O", "O"): -9.0})
    scores = score(crf, [["a"], ["b"]] * 1000)
    summed = forward(crf, scores, np.ones((2000, 1, 5)))
    post = posterior(crf, scores, summed.alphas)
    assert summed.within[0] == pytest.approx(1.0)
    assert np.allclose(post.marginals.sum(axis=1), 1.0)
    assert np.isfinite(post.stays).all()


def test_training_learns_and_tells_its_progress():
    words = ["call", "Ann", "now"], ["call", "Bob", "Lee", "now"], ["wait", "now"]
    tags = ["O", "B-0", "O"], ["O", "B-0", "I-0", "O"], ["O", "O"]
    rows = [([[w.lower(), str(w.istitle())] for w in line], tag)
            for line, tag in zip(words, tags, strict=True)]  # fmt: skip
    told: list[int] = []
    crf = fit_crf(rows * 10, CrfSettings(c1=0, iterations=30), told.append)
    assert told == list(range(1, len(told) + 1))
    found = viterbi(crf, score(crf, [["call", "False"], ["zoe", "True"], ["now", "False"]]))
    assert [crf.labels[at] for at in found] == ["O", "B-0", "O"]


def test_names_may_hold_anything():
    odd = ["a --> b: 1.0", "}", "\u2028", "(0)", "x\ty", "ATTRIBUTES = {"]
    rows = [([[name] for name in odd], ["B-0", "O", "B-0", "O", "B-0", "O"])] * 5
    crf = fit_crf(rows, CrfSettings(c1=0))
    assert [crf.labels[at] for at in viterbi(crf, score(crf, [[name] for name in odd]))] == [
        "B-0", "O", "B-0", "O", "B-0", "O",
    ]  # fmt: skip


def test_an_inside_label_never_seen_stays_impossible():
    crf = fit_crf([([["a"], ["b"]], ["B-0", "O"])] * 3, CrfSettings(c1=0))
    assert crf.labels == ("O", "B-0", "I-0")
    scores = np.array([[0.0, 0, 9], [0, 0, 9]])
    assert 2 not in viterbi(crf, scores)
