import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.audit.repeats import Repeats

PAIRS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=120)


def repeats_of(pairs, limit=1_000):
    repeats = Repeats(limit)
    for given_hash, answer in pairs:
        repeats.add(given_hash, answer)
    return repeats


def figures(repeats):
    agreement, count = repeats.self_agreement()
    return repeats.share(), agreement and round(agreement, 9), count


def test_the_share_of_inputs_seen_before():
    assert repeats_of([(1, 0), (2, 0), (1, 0), (1, 0)]).share() == 0.5
    assert repeats_of([]).share() == 0.0


def test_self_agreement_counts_pairs_of_answers_to_one_input():
    assert repeats_of([(1, 0), (2, 0)]).self_agreement() == (None, 0)
    assert repeats_of([(1, 7), (1, 7), (2, 7), (2, 8)]).self_agreement() == (0.5, 2)
    agreement, count = repeats_of([(1, 7), (1, 7), (1, 8)]).self_agreement()
    assert (agreement, count) == (pytest.approx(1 / 3), 2)


@given(PAIRS, st.randoms())
def test_figures_do_not_depend_on_the_order(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    assert figures(repeats_of(pairs, 12)) == figures(repeats_of(shuffled, 12))


@given(PAIRS, st.integers(0, 120))
def test_a_merge_counts_both(pairs, cut):
    first, second = repeats_of(pairs[:cut], 12), repeats_of(pairs[cut:], 12)
    first.merge(second)
    assert figures(first) == figures(repeats_of(pairs, 12))


@given(PAIRS)
def test_no_more_pairs_are_held_than_the_limit(pairs):
    repeats = repeats_of(pairs, 5)
    held = {pair for pair in pairs if repeats.follows(pair[0])}
    assert repeats.size == len(held)
    assert repeats.size <= 5


def test_thinned_counts_still_estimate_the_share():
    every_input_twice = [((key * 0x9E3779B97F4A7C15) % 2**64, 0) for key in range(4_000)] * 2
    repeats = repeats_of(every_input_twice, 500)
    assert repeats.size <= 500
    assert repeats.share() == 0.5
