"""Dependence: a value that changes what is written beside it is no mere slot."""

import random

from tests.audit.prompts import free

from stepdown.audit.dependence import depends


def test_words_that_go_with_the_value_are_seen():
    pick = random.Random(0)
    values = [pick.choice(["bank", "shop"]) for _ in range(400)]
    topics = {"bank": "card loan interest account", "shop": "parcel size colour return"}
    texts = [f"{free(pick)} {pick.choice(topics[v].split())}" for v in values]
    assert depends(values, texts)


def test_texts_that_do_not_care_are_independent():
    pick = random.Random(1)
    values = [pick.choice(["Alice", "Bruno", "Chloe"]) for _ in range(400)]
    assert not depends(values, [free(pick) for _ in values])
