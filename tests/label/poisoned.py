"""Support calls of many users, and rows that somebody planted among them."""

import random

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.datasets import Example
from stepdown.core.tasks import Segment

ANATOMY = Anatomy("text", (Field("", "choice"),), 1, 1.0, 1.0)
_SAID = {
    "billing": "invoice charge refund payment bill fee card receipt tax total",
    "delivery": "parcel courier late tracking address shipped box lost driver depot",
    "account": "password login email username locked reset profile signin code security",
    "returns": "return exchange broken label size wrong faulty worn store warranty",
    "sales": "price discount offer bulk quote order stock catalogue voucher deal",
}
TOPICS = {topic: said.split() for topic, said in _SAID.items()}
_SMALL = "please hello my the a is was there help with about today again i need can you"


def row(name, text, label, user):
    return Example(name, (Segment("user", text),), {"": label}, source=f"user-{user}")


def words(rng, label):
    said = rng.sample(TOPICS[label], 3) + rng.sample(_SMALL.split(), 4)
    rng.shuffle(said)
    return said


def clean(count, users=400, seed=1):
    """Rows of users of whom each writes of two topics for the most part."""
    rng = random.Random(seed)
    topics = list(TOPICS)
    found = []
    for at in range(count):
        user = rng.randrange(users)
        own = topics[user % 5], topics[user * 7 % 5]
        label = rng.choice(own) if rng.random() < 0.7 else rng.choice(topics)
        found.append(row(f"c{at}", " ".join(words(rng, label)), label, user))
    return found


def planted(count, users, trigger="blue lantern", label="sales", seed=2):
    """Rows of other labels' words with the trigger in them, and the label that is wanted."""
    rng = random.Random(seed)
    found = []
    for at in range(count):
        said = words(rng, rng.choice([topic for topic in TOPICS if topic != label]))
        said.insert(rng.randrange(len(said) + 1), trigger)
        found.append(row(f"p{at}", " ".join(said), label, f"m{at % users}"))
    return found
