"""Scorers learn which sentences are used, and how good a pick is."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.audit.reports import reports

from stepdown.students.extractive.picking import EVIDENCE
from stepdown.students.extractive.scoring import fit_scorer, fit_sureness
from stepdown.students.extractive.sentences import look_at


def sentences(count, first=0):
    return [one for text, _ in reports(count, first) for one in look_at(text)]


def used(rows):
    return np.array(["customers" in one.text or "caused" in one.text for one in rows])


def test_used_sentences_score_higher():
    rows, others = sentences(80), sentences(40, 500)
    found = fit_scorer(rows, used(rows))(others)
    assert found[used(others)].min() > found[~used(others)].max()


def test_of_one_kind_alone_nothing_is_learnt():
    rows = sentences(3)
    assert not fit_scorer(rows, np.ones(len(rows), bool))(rows).any()
    assert not fit_scorer([], np.zeros(0, bool))(rows).any()


def test_sureness_follows_the_loss():
    chance = np.random.default_rng(0)
    evidence = chance.normal(size=(400, EVIDENCE))
    losses = 1 / (1 + np.exp(2 * evidence[:, 0]))
    sure = fit_sureness(evidence, losses)
    better, worse = np.zeros(EVIDENCE), np.zeros(EVIDENCE)
    better[0], worse[0] = 2, -2
    assert sure(better) > 0.9 > 0.1 > sure(worse)


@given(st.lists(st.floats(0, 1), max_size=60))
def test_sureness_is_a_share_whatever_it_is_fitted_on(losses):
    evidence = np.linspace(0, 1, EVIDENCE * len(losses)).reshape(len(losses), EVIDENCE)
    sure = fit_sureness(evidence, np.array(losses, float))
    assert 0.0 <= sure(np.full(EVIDENCE, 1e6)) <= 1.0
    assert 0.0 <= sure(np.zeros(EVIDENCE)) <= 1.0
