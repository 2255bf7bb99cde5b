from hypothesis import given
from hypothesis import strategies as st

from stepdown.audit.sample import Sample, Sampled
from stepdown.core.calls import Answer

ENTRIES = st.lists(
    st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 3_000)), unique_by=lambda entry: entry[0]
)


def call(size):
    return Sampled(("", "", "x" * size), Answer("y"))


def kept(sample):
    return [len(sampled.texts[2]) for sampled in sample.calls()]


def sample_of(entries, limit=8, limit_bytes=8_000):
    sample = Sample(limit, limit_bytes)
    for key, size in entries:
        sample.add(key, call(size))
    return sample


@given(ENTRIES, st.randoms())
def test_the_sample_does_not_depend_on_the_order(entries, random):
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert kept(sample_of(entries)) == kept(sample_of(shuffled))


@given(ENTRIES, st.integers(0, 30))
def test_a_merge_is_the_sample_of_both(entries, cut):
    first, second = sample_of(entries[:cut]), sample_of(entries[cut:])
    first.merge(second)
    assert kept(first) == kept(sample_of(entries))


@given(ENTRIES)
def test_both_limits_hold(entries):
    sample = sample_of(entries)
    assert len(sample) <= 8
    assert sample.bytes <= 8_000


def test_the_smallest_keys_are_kept():
    assert kept(sample_of([(key, key) for key in range(20, 0, -1)])) == list(range(1, 9))


def test_what_it_wants_it_keeps():
    sample = sample_of([(key, 1) for key in range(10, 20)])
    assert sample.wants(3)
    assert not sample.wants(18)
    sample.add(18, call(0))
    assert 0 not in kept(sample)


def test_halving_keeps_the_smaller_keys_and_refuses_the_others_later():
    sample = sample_of([(key, key) for key in range(8)])
    sample.halve()
    assert kept(sample) == [0, 1, 2, 3]
    assert not sample.wants(4)
    assert sample.wants(2)
