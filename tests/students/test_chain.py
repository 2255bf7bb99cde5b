"""A chain: sure answers end it, the rest go on, and its confidence means what it says."""

import random

import msgspec
import pytest

from stepdown.core.calls import Answer
from stepdown.core.datasets import Example
from stepdown.core.ports import Prediction, Rehearsed
from stepdown.core.tasks import Segment
from stepdown.errors import ArtefactError
from stepdown.students.chain import CHAIN, Chain, Join, load_chain


class Oracle:
    """Knows what it says to each input, and counts how often it is asked."""

    family = "oracle"

    def __init__(self, name, said):
        self.id = name
        self.said = said
        self.asked = 0
        self.rehearsed = {key: Rehearsed({"": label}, sure) for key, (label, sure) in said.items()}

    def predict(self, given):
        self.asked += 1
        label, sure = self.said[given[0].text]
        if sure is None:
            return Prediction({}, None, 0.0, abstained="no idea")
        return Prediction({"": label}, Answer(label), sure, {"": sure})


def given(key):
    return (Segment("user", str(key)),)


def drawn(rows, skill, seed):
    """Guesses whose confidence is honest: right with exactly that probability."""
    rng = random.Random(seed)
    said = {}
    for row in range(rows):
        sure = min(0.999, rng.betavariate(skill, 1))
        said[str(row)] = ("yes" if rng.random() < sure else "no", sure)
    return said


EXAMPLES = [Example(str(row), given(row), {"": "yes"}) for row in range(3000)]


@pytest.fixture
def pair():
    return Oracle("a", drawn(3000, 6, 1)), Oracle("b", drawn(3000, 12, 2))


def right_at(guesses, floor):
    taken = [g for g in guesses.values() if g.confidence is not None and g.confidence >= floor]
    return sum(g.record == {"": "yes"} for g in taken) / len(taken), len(taken) / len(guesses)


def test_it_answers_more_at_the_same_risk_than_either_alone(pair):
    chain = Chain.fit(pair[0], pair[1], EXAMPLES, 0.02)

    def coverage(guesses):
        order = sorted(guesses.values(), key=lambda g: -(g.confidence or 0))
        wrong = best = 0
        for at, guess in enumerate(order, 1):
            wrong += guess.record != {"": "yes"}
            if wrong <= 0.02 * len(order):
                best = at / len(order)
        return best

    alone = [coverage(student.rehearsed) for student in pair]
    assert coverage(chain.rehearsed) > max(alone) + 0.02


def test_what_it_rehearsed_is_what_it_says(pair):
    chain = Chain.fit(pair[0], pair[1], EXAMPLES, 0.02)
    for example in EXAMPLES[:300]:
        said, meant = chain.predict(example.input), chain.rehearsed[example.id]
        assert said.record == meant.record
        assert said.confidence == pytest.approx(meant.confidence)


def test_a_sure_first_student_is_the_only_one_asked(pair):
    first, second = pair
    chain = Chain(first, second, Join(0.9))
    sure = next(key for key, (_, s) in first.said.items() if s > 0.9)
    unsure = next(key for key, (_, s) in first.said.items() if s < 0.9)
    chain.predict(given(sure))
    assert second.asked == 0
    assert chain.predict(given(unsure)).record == {"": second.said[unsure][0]}
    assert second.asked == 1


def test_an_abstention_hands_over_both_ways():
    silent, talks = Oracle("a", {"x": ("", None)}), Oracle("b", {"x": ("yes", 0.7)})
    assert Chain(silent, talks, Join(0.9)).predict(given("x")).confidence == 0.7
    assert Chain(talks, silent, Join(0.9)).predict(given("x")).confidence == 0.7
    assert Chain(silent, silent, Join(0.9)).predict(given("x")).answer is None


def test_the_more_novel_of_two_opinions_stands(monkeypatch):
    first, second = Oracle("a", {"x": ("yes", 0.2)}), Oracle("b", {"x": ("yes", 0.7)})
    told = first.predict
    monkeypatch.setattr(
        first, "predict", lambda one: msgspec.structs.replace(told(one), novelty=0.99)
    )
    assert Chain(first, second, Join(0.9)).predict(given("x")).novelty == 0.99


def test_too_few_shared_rows_make_no_chain(pair):
    assert Chain.fit(pair[0], pair[1], EXAMPLES[:59], 0.02) is None
    assert Chain.fit(pair[0], Oracle("b", {}), EXAMPLES, 0.02) is None


def test_saved_and_loaded_it_is_the_same(pair, tmp_path):
    chain = Chain.fit(pair[0], pair[1], EXAMPLES, 0.02)
    CHAIN.save(chain, tmp_path)
    students = {student.id: student for student in pair}
    again = load_chain(tmp_path, students.__getitem__)
    for example in EXAMPLES[:50]:
        assert again.predict(example.input) == chain.predict(example.input)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"first":"a","second":"b","join":{"gate":"x"}}'])
def test_a_file_that_is_no_chain_is_refused(data, tmp_path):
    (tmp_path / "chain.json").write_bytes(data)
    with pytest.raises(ArtefactError, match="train it again"):
        load_chain(tmp_path, {}.__getitem__)
