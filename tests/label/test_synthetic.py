"""What is ordered, and what of it is kept: grounded, new, and of every kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.datasets import Example
from stepdown.label.similarity import jaccard, normalised, shingles
from stepdown.label.synthetic import SCENARIOS, Order, noisy, orders, sifted

LABELS = ("billing", "delivery", "returns")
CHOICE = Anatomy("text", (Field("", "choice", values=LABELS),), 1, 1.0, 1.0)
TOOL = Anatomy(
    "json",
    (Field("/kind", "choice", values=("a", "b")), Field("/city", "copy"), Field("/why", "free")),
    1,
    1.0,
    1.0,
)


def rows(*labels):
    return [
        (f"text {at} about {label}", Example(f"r{at}", (), {"": label}))
        for at, label in enumerate(labels)
    ]


@given(st.integers(1, 500))
def test_as_many_are_ordered_as_are_wanted_in_the_kinds_shares(count):
    found = orders(CHOICE, rows("billing"), count, "x")
    sizes = dict.fromkeys(SCENARIOS, 0)
    for order in found:
        assert 0 < len(order.wanted) <= 10
        sizes[order.scenario] += len(order.wanted)
    assert sum(sizes.values()) == count
    assert all(abs(sizes[name] - share * count) < 1 for name, (share, _) in SCENARIOS.items())


def test_the_rarest_labels_come_first_and_nothing_is_none():
    seen = rows(*["billing"] * 5, *["delivery"] * 2)
    made = orders(CHOICE, seen, 60, "x")
    assert made == orders(CHOICE, seen[::-1], 60, "x")
    assert [record[""] for record in made[0].wanted[:3]] == ["returns", "delivery", "billing"]
    assert [order.wanted[0] for order in made if order.scenario == "none"] == [{}]
    texts = {row.id: text for text, row in seen}
    assert all(order.shots == tuple(texts[name] for name in order.shown) for order in made)


def test_values_to_copy_come_from_real_answers():
    real = [
        ("to Paris", Example("1", (), {"/kind": "a", "/city": "Paris", "/why": "x"})),
        ("nowhere", Example("2", (), {"/kind": "b", "/city": None})),
    ]
    wanted = {str(record) for order in orders(TOOL, real, 9, "x") for record in order.wanted}
    assert wanted <= {"{'/kind': 'a', '/city': 'Paris'}", "{'/kind': 'b'}", "{}"}
    assert len(wanted) == 3


def test_what_is_of_no_use_is_dropped_and_counted():
    record = {"/kind": "a", "/city": "Paris"}
    texts = [
        "I would love to see Paris in spring",
        "I would love to see Paris in spring!",
        "Take me to the sea",
        " ",
        "Paris " * 500,
        "where is the nearest railway station of Paris",
    ]
    found = sifted(
        TOOL,
        [(Order("plain", (record,) * 7, ()), texts)],
        ["Where is the nearest railway station of Paris?"],
        ["a made-up one from before"],
    )
    assert [one.text for one in found.kept] == texts[:1]
    counts = {"asked": 7, "kept": 1, "duplicate": 2, "ungrounded": 1, "unfit": 2, "missing": 1}
    assert found.counts["plain"] == counts
    assert found.kept[0].item.startswith("synthetic-")


SAID = ["card", "loan", "trip", "lost", "please", "help", "now", "my"]
words = st.lists(st.sampled_from(SAID), min_size=3)


@given(st.lists(words.map(" ".join), max_size=12), st.lists(words.map(" ".join), max_size=6))
def test_nothing_kept_is_like_the_log(texts, real):
    found = sifted(CHOICE, [(Order("plain", ({},) * len(texts), ()), texts)], real)
    kept = [shingles(normalised(one.text)) for one in found.kept]
    equal = {normalised(text) for text in real}
    assert not equal & {normalised(one.text) for one in found.kept}
    assert len({one.item for one in found.kept}) == len(kept)
    # Sketches find nearly all that is 0.7 alike; what is nearly equal never passes.
    assert all(jaccard(one, shingles(normalised(text))) < 0.95 for one in kept for text in real)


@pytest.mark.parametrize("scenario", ["disfluent", "garbled"])
def test_noise_is_the_same_every_time_and_spares_the_values(scenario):
    text = "Please book a table for seven people in Amsterdam tomorrow evening around nine"
    made = noisy(text, scenario, ("Amsterdam", 7))
    assert made == noisy(text, scenario, ("Amsterdam", 7)) != text
    assert "Amsterdam" in made
    assert noisy(text, "plain") == text
    assert noisy("", scenario) == ""
