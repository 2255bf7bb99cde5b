"""Only rows drawn without a look at them may be held out, and of these each as likely as any."""

from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdown.core.calls import Answer
from stepdown.core.datasets import Example
from stepdown.core.labels import Label
from stepdown.core.tasks import Segment
from stepdown.label.check import check_split
from stepdown.label.heldout import KEPT_APART, coin, drawn, origin_of
from stepdown.label.split import Shares, split_examples

WORDS = [a + b + c for a in "bdgklmnprstz" for b in "aeiou" for c in "bdgklmnprstz"]


def text(random):
    return " ".join(random.choice(WORDS, 8))


def rows_of(seed, count, reach, *, log=0.3, chosen=0.5, group="", times=True):
    """Make a task's rows as a labelling leaves them: asked up to `reach`, the others chosen."""
    random = np.random.default_rng(seed)
    made = []
    for at in range(count):
        name = f"s{seed}-{at}"
        given = (Segment("user", text(random)),)
        example = Example(name, given, {"": "x"}, time=float(at) if times else None)
        toss = coin(given)
        if group:
            example = msgspec.structs.replace(example, group=f"{group}{random.integers(40)}")
        if random.random() < log:
            made.append(example)
        elif toss <= reach:
            made.append(msgspec.structs.replace(example, origin="random", probability=reach))
        elif toss >= KEPT_APART and random.random() < chosen:
            made.append(msgspec.structs.replace(example, origin="chosen"))
    return made


@settings(max_examples=12)
@given(
    seed=st.integers(0, 10**6),
    reach=st.floats(0.02, KEPT_APART - 1e-9),
    log=st.sampled_from([0.0, 0.05, 0.4]),
    group=st.sampled_from(["", "g"]),
    times=st.booleans(),
)
def test_no_chosen_row_is_ever_held_out(seed, reach, log, group, times):
    rows = rows_of(seed, 260, reach, log=log, group=group, times=times)
    random = np.random.default_rng(seed)
    for at, row in enumerate(random.permutation(len(rows))[:30].tolist()):
        # Near-duplicates of any row: chosen ones, made-up ones, and the log's.
        twin = (Segment("user", f"{rows[row].input[0].text} please"),)
        origin = ("chosen", "synthetic", "log")[at % 3]
        rows.append(Example(f"twin{at}", twin, {"": "x"}, origin=origin, time=float(at)))
    made = split_examples(rows, Shares(60, 30))
    held = [row for row in made.examples if row.split != "train"]
    assert {row.origin for row in held} <= {"log", "random"}
    report = check_split(made.examples, max(made.similarity, 0.7))
    assert (report.shared_inputs, report.shared_clusters, report.shared_groups) == (0, 0, 0)
    lost = made.dropped_duplicates + made.dropped_late + made.dropped_barred
    assert len(made.examples) + lost == len(rows)


def test_the_log_and_the_random_part_are_held_out_alike():
    rows = rows_of(1, 3000, 0.2, log=0.5, times=False)
    made = split_examples(rows, Shares(240, 120))
    assert made.frame == "whole"
    held = Counter(row.origin for row in made.examples if row.split != "train")
    there = Counter(row.origin for row in rows)
    # Half of the task's inputs were in the log: half of what is held out has to be.
    assert 0.4 <= held["log"] / held.total() <= 0.6
    assert held["log"] < 0.25 * there["log"]
    assert all(coin(row.input) <= 0.2 for row in made.examples if row.split != "train")


def test_a_repeat_of_the_log_tosses_one_coin():
    random = np.random.default_rng(2)
    given = [(Segment("user", text(random)),) for _ in range(400)]
    log = [Example(f"l{at}-{n}", given[at], {"": "x"}) for at in range(400) for n in range(6)]
    others = [(Segment("user", text(random)),) for _ in range(4000)]
    asked = [
        Example(f"r{at}", other, {"": "x"}, origin="random")
        for at, other in enumerate(others)
        if coin(other) <= 0.05
    ]
    clusters = [at for at in range(400) for _ in range(6)] + [400 + n for n in range(len(asked))]
    found = drawn([*log, *asked], clusters, 10)
    able = {row.id for row, fit in zip(log, found.able, strict=False) if fit}
    assert {name.partition("-")[0] for name in able} == {
        f"l{at}" for at in range(400) if coin(given[at]) <= 0.05
    }


def test_a_small_random_part_leaves_the_log_to_certify():
    rows = rows_of(3, 3000, 0.01, log=0.3)
    made = split_examples(rows, Shares(200, 100))
    assert made.frame == "log"
    held = [row for row in made.examples if row.split != "train"]
    assert {row.origin for row in held} == {"log"}
    # Something was chosen, perhaps in place of another model's answer: only what is kept apart.
    assert all(coin(row.input) < KEPT_APART for row in held)
    assert len(held) > 200


def test_where_nothing_was_paid_for_nothing_changes():
    rows = rows_of(4, 500, 0.0, log=1.0)
    made = split_examples(rows, Shares(100, 60))
    assert made.frame == "all"
    assert made.dropped_barred == 0
    assert Counter(row.split for row in made.examples)["calibration"] >= 95


def test_what_was_drawn_by_another_hash_only_trains():
    rows = rows_of(5, 900, 0.3, log=0.0, times=False)
    others = [row for row in rows if row.origin == "chosen"]
    strange = [msgspec.structs.replace(row, origin="random") for row in others[9:]]
    asked = [row for row in rows if row.origin == "random"]
    made = split_examples([*asked, *others[:9], *strange], Shares(80, 40))
    sides = {row.id: row.split for row in made.examples}
    assert all(sides.get(row.id, "train") == "train" for row in strange)


@pytest.mark.parametrize(
    ("whys", "origin"),
    [
        (["random", "again"], ("random", 0.25)),
        (["uncertain", "again"], ("chosen", None)),
        (["novel"], ("chosen", None)),
        (["synthetic"], ("synthetic", None)),
        (["again"], ("log", None)),
        ([], ("log", None)),
    ],
)
def test_the_origin_is_why_it_was_asked_first(whys, origin):
    labels = [
        Label("k", "t", "i", "m", why, "answered", Answer("x"), 0.25 if why == "random" else None)
        for why in whys
    ]
    assert origin_of(labels) == origin
