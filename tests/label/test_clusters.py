"""Clusters do not chain, and what is alike across sides is found."""

from itertools import pairwise

from stepdown.label.clusters import cluster, crossing
from stepdown.label.similarity import Sketches, jaccard, shingles

CHAIN = ["abcdefghijklmnopqrstuvwxyz0123456789"[at : at + 24] for at in range(12)]


def test_members_are_like_their_representative():
    belongs = cluster(Sketches(CHAIN), 0.7)
    assert len(set(belongs)) < len(CHAIN)
    for at, representative in enumerate(belongs):
        assert belongs[representative] == representative
        assert jaccard(shingles(CHAIN[at]), shingles(CHAIN[representative])) >= 0.7 or (
            at == representative
        )


def test_a_chain_of_small_differences_is_not_one_cluster():
    for one, other in pairwise(CHAIN):
        assert jaccard(shingles(one), shingles(other)) >= 0.7
    assert len(set(cluster(Sketches(CHAIN), 0.7))) >= 3


def test_crossing_finds_each_row_that_has_a_twin_over_there():
    sketches = Sketches([*CHAIN, "something else altogether, and quite long"])
    assert crossing(sketches, [0, 12], [1, 2], 0.7) == {0}
    assert crossing(sketches, [12], [0, 5], 0.7) == set()
    assert crossing(sketches, [0], [], 0.7) == set()
