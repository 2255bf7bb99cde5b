"""Clusters: texts that share a long constant part are together, free texts are alone."""

import random

from tests.audit.prompts import filled

from stepdown.audit.clusters import cluster


def test_two_templates_are_two_clusters_and_free_texts_none():
    pick = random.Random(0)
    one = "Please classify the following customer message into a queue: {text}"
    two = "Read this review and say in one word how the writer feels about it: {text}"
    texts = [filled(template, pick) for template in (one, two, "{text}") for _ in range(60)]
    labels = cluster(texts, frozenset()).tolist()
    first, second, rest = labels[:60], labels[60:120], labels[120:]
    assert len(set(first)) == len(set(second)) == 1
    assert first[0] != second[0]
    assert -1 not in (first[0], second[0])
    assert not {first[0], second[0]} & set(rest)


def test_a_handful_is_not_clustered():
    assert cluster(["a b c d e f g"] * 2, frozenset()).tolist() == [-1, -1]
