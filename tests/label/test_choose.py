"""A random part is kept apart, what is chosen has its reason, and all of it is repeatable."""

from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.label.test_pool import TASK, call, label, text

from stepdown.core.calls import Message, Request
from stepdown.core.fingerprint import uniform
from stepdown.core.tasks import Segment, input_text
from stepdown.label.choose import Guess, choose, round_size
from stepdown.label.heldout import KEPT_APART, coin
from stepdown.label.need import Need
from stepdown.label.pool import Candidate, Pool, pool_of

NEED = Need(20, 40, 0, 30, 300)
REQUEST = msgspec.msgpack.encode(Request("m", (Message("user", "x"),)))


def unable(rows):
    return None


def pool(count, asked=(), **other):
    calls = [call(f"c{at}", text(at), **other) for at in range(count)]
    return pool_of(TASK, calls, "big", {f"c{at}": label(f"c{at}") for at in asked})


def test_the_random_part_comes_first_with_its_probability_and_is_kept_apart():
    here = pool(600)
    choice = choose(TASK, here, 100, NEED, unable)
    parts = Counter(pick.why for pick in choice.picks)
    assert parts == {"random": 30, "novel": 70}
    assert [pick.why for pick in choice.picks[:30]] == ["random"] * 30
    assert {pick.probability for pick in choice.picks[:30]} == {30 / 600}
    assert {pick.probability for pick in choice.picks[30:]} == {None}
    where = {one.item: one.coin for one in (*here.apart, *here.open)}
    coins = [where[pick.item] for pick in choice.picks]
    assert max(coins[:30]) < KEPT_APART <= min(coins[30:])
    assert coins[:30] == sorted(where.values())[:30]
    assert len({pick.item for pick in choice.picks}) >= 90


def test_the_same_log_gives_the_same_questions():
    assert choose(TASK, pool(300), 90, NEED, unable) == choose(TASK, pool(300), 90, NEED, unable)


def test_a_later_draw_goes_on_where_the_last_one_stopped():
    here = pool(600)
    first = choose(TASK, here, 100, NEED, unable)
    told = {pick.item: label(pick.item, why=pick.why) for pick in first.picks}
    second = choose(TASK, here.told(told), 100, NEED, unable)
    both = [p.item for c in (first, second) for p in c.picks if p.why == "random"]
    assert both == [one.item for one in here.apart[:60]]
    assert {pick.probability for pick in second.picks if pick.why == "random"} == {60 / 600}
    assert not {p.item for p in first.picks} & {p.item for p in second.picks}


@settings(max_examples=30)
@given(
    count=st.integers(1, 400), needed=st.integers(0, 500), inputs=st.sampled_from([0, 5, 60, 250])
)
def test_as_many_are_asked_as_there_are(count, needed, inputs):
    here = SIZES[inputs]
    choice = choose(TASK, here, count, Need(1, 1, 1, needed, 1), unable)
    assert len(choice.picks) == min(count, inputs)
    assert choice.random == sum(pick.why == "random" for pick in choice.picks)
    coins = {one.item: one.coin for one in (*here.apart, *here.open)}
    for pick in choice.picks:
        assert (pick.why == "random") == (coins[pick.item] < KEPT_APART)
        assert (pick.probability is not None) == (pick.why == "random")


SIZES = {inputs: pool(inputs) for inputs in (0, 5, 60, 250)}


def test_a_pool_too_small_to_certify_with_a_part_of_it_is_asked_at_random():
    here = pool(300)
    choice = choose(TASK, here, 200, Need(149, 386, 0, 536, 1340), unable)
    assert {pick.why for pick in choice.picks} == {"random"}
    everything = [*here.apart, *here.open]
    assert [pick.item for pick in choice.picks] == [one.item for one in everything[:200]]
    assert choice.picks[0].probability == 200 / 300
    # Once something was chosen, what is left is no random part any more.
    told = {one.item: label(one.item) for one in here.open[5:9]}
    later = choose(TASK, here.told(told), 200, Need(149, 386, 0, 536, 1340), unable)
    assert sum(pick.why == "random" for pick in later.picks) == 120


def test_the_teachers_own_answers_are_asked_again_only_if_that_is_said():
    calls = [call(f"c{at}", text(at)) for at in range(10)]
    calls += [call(f"own{at}", text(50 + at), "big", "frontier") for at in range(30)]
    here = pool_of(TASK, calls, "big", {})
    need = Need(1, 1, 1, 0, 300)
    assert len(choose(TASK, here, 25, need, unable).picks) == 10
    choice = choose(TASK, here, 25, need, unable, again=True)
    assert Counter(pick.why for pick in choice.picks)["again"] == choice.again == 15
    assert len(choice.picks) == 25


def test_what_no_teacher_answered_is_chosen_before_another_models_calls():
    calls = [call(f"none{at}", text(at)) for at in range(100)]
    calls += [call(f"other{at}", text(500 + at), "cheap", "") for at in range(100)]
    choice = choose(TASK, pool_of(TASK, calls, "big", {}), 40, NEED, unable)
    chosen = [pick.item for pick in choice.picks if pick.why != "random"]
    assert all(item.startswith("none") for item in chosen)
    # The random part speaks for all that the teacher has not answered.
    drawn = Counter(pick.item[:4] for pick in choice.picks if pick.why == "random")
    assert set(drawn) == {"none", "othe"}


def test_the_youngest_fifth_is_not_chosen_since_it_may_not_train():
    calls = [call(f"c{at}", text(at), time=float(at)) for at in range(500)]
    choice = choose(TASK, pool_of(TASK, calls, "big", {}), 80, NEED, unable)
    chosen = [int(pick.item[1:]) for pick in choice.picks if pick.why != "random"]
    assert max(chosen) < 430


def unsure_of(marked):
    """Teach a student that is unsure of inputs in which `marked` stands."""

    def teach(rows):
        def score(inputs):
            return [Guess("a", 0.2 if marked in input_text(one) else 0.99) for one in inputs]

        return score

    return teach


def test_uncertain_inputs_are_chosen_and_not_all_alike():
    words = [f"{text(at)} {'qqxx wwvv' if at % 5 == 0 else ''}" for at in range(800)]
    calls = [call(f"c{at}", one) for at, one in enumerate(words)]
    here = pool_of(TASK, calls, "big", {f"c{at}": label(f"c{at}") for at in range(60)})
    choice = choose(TASK, here, 60, Need(1, 1, 999, 0, 300), unsure_of("qqxx"))
    whys = Counter(pick.why for pick in choice.picks)
    assert whys == {"random": 6, "uncertain": 44, "novel": 5, "rare": 5}
    uncertain = [pick.item for pick in choice.picks if pick.why == "uncertain"]
    assert all(int(item[1:]) % 5 == 0 for item in uncertain)


def test_where_all_are_asked_nobody_has_to_learn_for_it():
    here = pool(120, asked=range(60))

    def teach(rows):
        raise AssertionError("there is nothing to choose")

    choice = choose(TASK, here, 60, Need(1, 1, 1, 0, 1), teach)
    assert {pick.item for pick in choice.picks} == {f"c{at}" for at in range(60, 120)}


def test_rare_labels_are_asked_for():
    calls = [call(f"c{at}", text(at)) for at in range(900)]
    asked = {f"c{at}": label(f"c{at}", "b" if at % 20 == 0 else "a") for at in range(300)}

    def teach(rows):
        return lambda inputs: [
            Guess("b" if uniform(input_text(one)) < 0.1 else "a", 0.6) for one in inputs
        ]

    choice = choose(TASK, pool_of(TASK, calls, "big", asked), 100, NEED, teach)
    texts = {f"c{at}": text(at) for at in range(900)}
    rare = [texts[pick.item] for pick in choice.picks if pick.why == "rare"]
    assert len(rare) == 7
    assert all(uniform(words) < 0.1 for words in rare)


def test_a_batch_is_spread_over_what_there_is():
    """Ten kinds of input, one of them 30 times as frequent: hardly one is missed."""
    random = np.random.default_rng(3)
    kinds = [text(7000 + kind) for kind in range(10)]
    counts = [600, *[20] * 9]
    words = [
        f"{kinds[kind]} {' '.join(random.permutation(text(at * 10 + kind).split())[:3])}"
        for kind, count in enumerate(counts)
        for at in range(count)
    ]
    found = tuple(
        Candidate(f"c{at}", (Segment("user", one),), coin((Segment("user", one),)), 0, REQUEST)
        for at, one in enumerate(words)
    )
    choice = choose(TASK, Pool((), found, (), len(found)), 30, Need(1, 1, 1, 0, 1), unable)
    places = np.repeat(np.arange(10), counts)
    assert len({int(places[int(pick.item[1:])]) for pick in choice.picks}) >= 9


@pytest.mark.parametrize(("answers", "size"), [(0, 300), (500, 300), (2000, 1000)])
def test_rounds_grow_with_what_is_known(answers, size):
    assert round_size(answers) == size


def test_the_random_part_is_a_fair_sample():
    """Over many logs each input is as likely to be asked at random as its pick says."""
    hits = Counter()
    for log in range(25):
        calls = [call(f"{at}", text(log * 1000 + at)) for at in range(100)]
        choice = choose(TASK, pool_of(TASK, calls, "big", {}), 50, NEED, unable)
        hits.update(int(pick.item) < 20 for pick in choice.picks if pick.why == "random")
    # A fifth of the inputs are a fifth of what is drawn, to within four deviations.
    assert hits.total() > 720
    assert abs(hits[True] - hits.total() / 5) < 48


def test_where_all_is_asked_nothing_is_learnt_first():
    def taught(rows):
        raise AssertionError("there is nothing to choose")

    here = pool(600)
    choice = choose(TASK, here, 600, NEED, taught)
    assert {pick.item for pick in choice.picks} == {one.item for one in (*here.apart, *here.open)}
