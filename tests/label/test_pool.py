"""Each distinct input once, what is known left out, in bounded memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.calls import Answer, Call, Message, Request
from stepdown.core.labels import Label
from stepdown.core.tasks import Signature, Task, Verdict, input_text
from stepdown.label.heldout import KEPT_APART
from stepdown.label.pool import pool_of, request_of

ANATOMY = Anatomy("text", (Field("", "choice", values=("a", "b")),), 9, 1.0, 1.0)
TASK = Task("t", "t", Signature(), ANATOMY, Verdict("distil"))
WORDS = [a + b + c for a in "bdgklmnprstz" for b in "aeiou" for c in "bdgklmnprstz"]


def text(at):
    return " ".join(np.random.default_rng(at).choice(WORDS, 8))


def call(name, words, model="small-1", tier="small", answer="a", time=None):
    request = Request(model, (Message("user", words),))
    return Call(name, request, Answer(answer), model, tier=tier, time=time)


def label(item, answer="b", why="uncertain", outcome="answered"):
    return Label("k", "t", item, "big", why, outcome, Answer(answer))


def everything(pool):
    return [*pool.apart, *pool.open, *pool.answered]


def test_of_repeats_and_near_duplicates_the_first_call_is_asked():
    calls = [
        call("late", text(1), time=5.0),
        call("first", text(1).upper(), time=1.0),
        call("near", f"{text(1)} please", time=3.0),
        call("other", text(2), time=4.0),
    ]
    for order in (calls, calls[::-1]):
        pool = pool_of(TASK, order, "big", {})
        held = {one.item for one in everything(pool)}
        assert held | {"near"} == {"first", "near", "other"}
        # Only what is kept apart is asked once for all that is like it.
        assert ("near" in {one.item for one in pool.alike}) == ("near" not in held)
    (one,) = (one for one in everything(pool) if one.item == "first")
    assert request_of(one) == calls[1].request


def test_what_the_teacher_has_answered_is_known_and_another_models_answer_is_not():
    calls = [
        call("own", text(1), "big", "frontier", "b"),
        call("again", text(1)),
        call("other", text(2), "cheap", ""),
        call("none", text(3)),
    ]
    pool = pool_of(TASK, calls, "big", {})
    assert [one.item for one in pool.answered] == ["own"]
    standings = {one.item: one.standing for one in (*pool.apart, *pool.open)}
    assert standings == {"other": 1, "none": 0}


def test_what_was_asked_is_there_with_its_label_and_is_not_asked_again():
    calls = [call(f"c{at}", text(at)) for at in range(40)]
    asked = {f"c{at}": label(f"c{at}") for at in range(20)} | {"c20": None}
    asked["c21"] = label("c21", outcome="refused")
    pool = pool_of(TASK, calls, "big", asked)
    held = {one.item: one for one in everything(pool)}
    assert {name for name, one in held.items() if one.asked} == asked.keys()
    assert held["c3"].answer == Answer("b")
    assert held["c20"].answer is None
    assert held["c21"].answer is None
    later = pool_of(TASK, calls, "big", {}).told(asked)
    assert {one.item: (one.asked, one.answer) for one in everything(later) if one.asked} == {
        name: (True, held[name].answer) for name in asked
    }


def test_lessons_hold_nothing_that_is_kept_apart():
    calls = [call(f"c{at}", text(at)) for at in range(60)]
    calls += [call(f"own{at}", text(100 + at), "big", "frontier") for at in range(60)]
    asked = {f"c{at}": label(f"c{at}", why="random") for at in range(60)}
    pool = pool_of(TASK, calls, "big", asked)
    apart = {one.item for one in everything(pool) if one.coin < KEPT_APART}
    lessons = pool.lessons(TASK)
    assert 40 < len(lessons) < 100
    assert not apart & {row.id for row in lessons}
    assert {row.record[""] for row in lessons if row.id.startswith("c")} == {"b"}


@pytest.mark.parametrize("most", [200, 400])
def test_of_many_a_sample_is_held_and_their_number_is_told(most):
    calls = [call(f"c{at}", text(at)) for at in range(3000)]
    pool = pool_of(TASK, iter(calls), "big", {}, most)
    assert len(pool.apart) == len(pool.open) == most
    assert pool.size == pytest.approx(3000, rel=0.2)
    # Those kept apart that come first are all there.
    whole = pool_of(TASK, calls, "big", {})
    assert [one.item for one in whole.apart[:most]] == [one.item for one in pool.apart]


@given(st.lists(st.integers(0, 12), max_size=40), st.randoms())
def test_the_order_of_the_log_makes_no_difference(inputs, random):
    calls = [call(f"c{at}", text(which), time=float(at)) for at, which in enumerate(inputs)]
    pool = pool_of(TASK, calls, "big", {})
    shuffled = list(calls)
    random.shuffle(shuffled)
    assert pool_of(TASK, shuffled, "big", {}) == pool
    texts = [input_text(one.given) for one in everything(pool)]
    assert len(texts) == len(set(texts)) == len(set(inputs)) == pool.size
    assert not pool.alike


def test_inputs_that_share_a_long_frame_are_told_apart():
    frame = "please tell me where the parcel with the long tracking number {} is right now"
    pool = pool_of(TASK, [call(f"c{at}", frame.format(at)) for at in range(200)], "big", {})
    assert pool.size > 100


def test_calls_of_another_kind_are_passed_over():
    other = Task("t", "t", Signature(tools="x"), ANATOMY, Verdict("distil"))
    assert pool_of(other, [call("c", "text")], "big", {}).size == 0


def test_of_near_duplicates_that_are_kept_apart_one_is_asked_first():
    calls = [call(f"{at}-{n}", f"{text(at)} {'xyz'[n]}") for at in range(60) for n in range(3)]
    pool = pool_of(TASK, calls, "big", {})
    kinds = [one.item.partition("-")[0] for one in pool.apart]
    assert len(kinds) == len(set(kinds))
    assert {one.item.partition("-")[0] for one in pool.alike} <= set(kinds)
    assert len(pool.apart) + len(pool.alike) + len(pool.open) == 180


def test_a_call_with_a_picture_is_not_asked_without_it():
    shown = call("shown", text(1))
    message = Message("user", text(2), other_parts=("image_url",))
    pictured = Call("pictured", Request("small-1", (message,)), Answer("a"), "small-1")
    pool = pool_of(TASK, [shown, pictured], "big", {})
    assert [one.item for one in everything(pool)] == ["shown"]
