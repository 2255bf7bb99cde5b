"""Nothing stands on two sides, the parts have their sizes, and test is the latest part (C-1)."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.datasets import Example
from stepdown.core.stats import rows_needed
from stepdown.core.tasks import Segment
from stepdown.label.check import check_split
from stepdown.label.split import Shares, shares, split_examples, uniform

SYLLABLES = [a + b for a in "bcdfghjklmnprstvwz" for b in "aeiou"]


def utterance(random, length=9):
    words = ["".join(random.choice(SYLLABLES, random.integers(1, 4))) for _ in range(length)]
    return " ".join(words)


def example(name, text, group="", time=None):
    return Example(str(name), (Segment("user", text),), {"": "x"}, group=group, time=time)


def twin(random, text, kind):
    """Return a text that is `text` again, as clients and people repeat themselves."""
    at = int(random.integers(1, len(text) - 1))
    return {
        "exact": text,
        "case": text.upper(),
        "space": f" {text.replace(' ', '  ')}\n",
        "typo": f"{text[:at]}{'q' if text[at] != 'q' else 'x'}{text[at + 1 :]}",
        "word": f"{text} please",
    }[kind]


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("kind", ["exact", "case", "space", "typo", "word", "conversation"])
def test_c1_planted_pairs_never_cross(kind, timed):
    random = np.random.default_rng(11)
    count = 700
    rows = [
        example(at, utterance(random), time=float(at) if timed else None) for at in range(count)
    ]
    planted = []
    # Pairs far apart in time, over the whole log, 2 % of the rows.
    for at in range(0, count, 50):
        other = int(random.integers(0, count))
        time = float(other) + 0.5 if timed else None
        if kind == "conversation":
            rows[at] = example(at, utterance(random), f"c{at}", rows[at].time)
            rows.append(example(f"p{at}", utterance(random), f"c{at}", time))
        else:
            text = rows[at].input[0].text
            rows.append(example(f"p{at}", twin(random, text, kind), time=time))
        planted.append((str(at), f"p{at}"))
    made = split_examples(rows, Shares(140, 84))
    sides = {row.id: row.split for row in made.examples}
    for one, other in planted:
        assert sides.get(one, sides.get(other)) == sides.get(other, sides.get(one))
    report = check_split(made.examples)
    assert (report.shared_inputs, report.shared_clusters, report.shared_groups) == (0, 0, 0)
    assert made.by_time == report.by_time == timed
    assert abs(report.calibration - 140) <= 12
    assert abs(report.test - 84) <= 12
    assert report.train > 400


def test_c1_nothing_trains_that_is_younger_than_the_test_part():
    random = np.random.default_rng(12)
    rows = [example(at, utterance(random), f"user{at % 400}", at / 7) for at in range(1200)]
    rows += [example(f"l{at}", utterance(random), f"late{at}", 200.0 + at) for at in range(200)]
    made = split_examples(rows, Shares(200, 120))
    assert made.by_time
    first = min(row.time for row in made.examples if row.split == "test")
    assert all(row.time < first for row in made.examples if row.split != "test")


def test_where_groups_last_for_the_whole_log_time_gives_way():
    random = np.random.default_rng(13)
    rows = [example(at, utterance(random), f"user{at % 60}", float(at)) for at in range(900)]
    made = split_examples(rows, Shares(180, 100))
    assert not made.by_time
    assert check_split(made.examples).shared_groups == 0
    assert Counter(row.split for row in made.examples).total() == 900


def test_held_out_parts_hold_one_row_of_a_cluster_and_train_holds_all():
    random = np.random.default_rng(14)
    texts = [utterance(random) for _ in range(300)]
    rows = [example(f"{at}-{copy}", text) for at, text in enumerate(texts) for copy in range(3)]
    made = split_examples(rows, Shares(60, 40))
    clusters = {part: Counter() for part in ("train", "calibration", "test")}
    for row in made.examples:
        clusters[row.split][row.cluster] += 1
    assert set(clusters["calibration"].values()) == set(clusters["test"].values()) == {1}
    assert set(clusters["train"].values()) == {3}
    assert made.dropped_duplicates == 2 * (len(clusters["calibration"]) + len(clusters["test"]))


def test_what_repeats_most_trains():
    random = np.random.default_rng(15)
    rows = [example(at, utterance(random)) for at in range(600)]
    rows += [example(f"r{at}", "the same question all day long") for at in range(60)]
    made = split_examples(rows, Shares(120, 70))
    assert {row.split for row in made.examples if row.id.startswith("r")} == {"train"}


def test_one_group_for_all_rows_is_ignored():
    random = np.random.default_rng(16)
    rows = [example(at, utterance(random), "the-app") for at in range(400)]
    counts = Counter(row.split for row in split_examples(rows, Shares(80, 48)).examples)
    assert counts == {"train": 272, "calibration": 80, "test": 48}


def test_a_shared_frame_does_not_collapse_the_split():
    frame = "please tell me where the parcel with the long tracking number {} is right now"
    rows = [example(at, frame.format(at)) for at in range(500)]
    made = split_examples(rows, Shares(100, 60))
    counts = Counter(row.split for row in made.examples)
    assert made.similarity > 0.7
    assert counts["calibration"] >= 50
    assert counts["test"] >= 30
    assert check_split(made.examples, made.similarity).shared_clusters == 0


def test_the_split_depends_on_the_rows_alone():
    random = np.random.default_rng(17)
    rows = [example(at, utterance(random, 4)) for at in range(300)]
    assert split_examples(rows, Shares(60, 30)) == split_examples(list(rows), Shares(60, 30))
    assert uniform("a") == uniform("a") != uniform("b")


@given(st.integers(60, 100_000), st.sampled_from([0.005, 0.01, 0.02, 0.05, 0.1]))
def test_shares_leave_most_rows_to_train(rows, budget):
    wanted = shares(rows, budget, 0.05)
    assert wanted.calibration <= 0.4 * rows
    assert wanted.test <= 0.2 * rows
    assert wanted.calibration <= max(2000, rows_needed(budget, 0.05, 10))
    if rows >= 2.5 * rows_needed(budget, 0.05):
        assert wanted.calibration >= rows_needed(budget, 0.05) - 1
