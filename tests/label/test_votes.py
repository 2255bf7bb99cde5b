"""Several answers to one item: a majority, or a dispute; never a record that nobody gave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.calls import Answer, Call, Message, Request
from stepdown.core.labels import SECOND, Label
from stepdown.core.records import same_record
from stepdown.label.outcomes import Worth
from stepdown.label.votes import Ballot, Vote, settled


def vote(teacher, label):
    if label in ("refused", "unreadable", "off_schema", "other_label"):
        return Vote(teacher, Worth(label, why="."))
    return Vote(teacher, Worth("answered", label if isinstance(label, dict) else {"": label}))


@pytest.mark.parametrize(
    ("votes", "outcome", "record"),
    [
        ([("a", "x")], "answered", {"": "x"}),
        ([("a", "x"), ("b", "y")], "disputed", {}),
        ([("a", "x"), ("b", "y"), ("c", "x ")], "answered", {"": "x"}),
        ([("a", "x"), ("b", "y"), ("c", "z")], "disputed", {}),
        # One voice a teacher, however often it was asked.
        ([("a", "x"), ("a", "x"), ("a", "x"), ("b", "y")], "disputed", {}),
        ([("a", "x"), ("a", "y"), ("a", "x")], "answered", {"": "x"}),
        ([("a", "x"), ("a", "y")], "disputed", {}),
        # Who contradicts itself has no voice.
        ([("a", "x"), ("a", "y"), ("b", "y")], "answered", {"": "y"}),
        # A refusal is no opinion; another label is one.
        ([("a", "refused"), ("b", "y")], "answered", {"": "y"}),
        ([("a", "unreadable"), ("a", "x")], "answered", {"": "x"}),
        ([("a", "refused"), ("b", "refused")], "refused", {}),
        ([("a", "refused")], "refused", {}),
        ([("a", "other_label"), ("b", "y")], "disputed", {}),
        ([("a", "refused"), ("b", "unreadable")], "disputed", {}),
    ],
)
def test_the_majority_stands(votes, outcome, record):
    found = settled([vote(*one) for one in votes])
    assert (found.worth.outcome, found.worth.record) == (outcome, record)
    assert bool(found.worth.why) == (outcome != "answered")


def test_fields_decide_where_records_tie_if_somebody_said_it_all():
    a, b, c = {"/k": 1, "/t": 1}, {"/k": 1, "/t": 2}, {"/k": 2, "/t": 1}
    assert settled([vote("a", a), vote("b", b), vote("c", c)]).worth.record == a
    # Field by field it would be 1, 1, 1: nobody said that.
    d, e, f = (
        {"/a": 1, "/b": 1, "/c": 2},
        {"/a": 1, "/b": 2, "/c": 1},
        {"/a": 2, "/b": 1, "/c": 1},
    )
    assert settled([vote("a", d), vote("b", e), vote("c", f)]).worth.outcome == "disputed"


_VOTES = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["x", "y", "refused", "other_label"])
        | st.fixed_dictionaries({"/k": st.integers(0, 1), "/t": st.integers(0, 1)}),
    ),
    min_size=1,
    max_size=7,
)


@given(_VOTES, st.randoms())
def test_no_record_is_made_up_and_order_decides_nothing(cast, shuffle):
    votes = [vote(*one) for one in cast]
    found = settled(votes).worth
    if found.outcome == "answered":
        assert any(same_record(found.record, one.worth.record) for one in votes)
    shuffle.shuffle(votes)
    again = settled(votes).worth
    assert (again.outcome, again.record) == (found.outcome, found.record)


@given(_VOTES)
def test_a_new_teacher_that_agrees_disputes_nothing(cast):
    votes = [vote(*one) for one in cast]
    found = settled(votes)
    if found.worth.outcome == "answered":
        more = settled([*votes, Vote("d", found.worth)]).worth
        assert (more.outcome, more.record) == ("answered", found.worth.record)


def call(model="m", tier="", answer="x"):
    return Call("c", Request(model, (Message("user", "t"),)), Answer(answer), model, tier=tier)


def label(teacher, answer, repeat=0):
    key = f"{teacher}{repeat}"
    return Label(key, "t", "c", teacher, "random", "answered", Answer(answer), repeat=repeat)


def judge(text, answer):
    return Worth("answered", {"": answer.text}) if answer.text else Worth("refused", why=".")


def settle(call, *labels):
    ballot = Ballot({"c": labels} if labels else {}, judge)
    return ballot.settle(call, "t"), ballot.outcomes


def test_a_paid_label_stands_in_for_another_models_answer():
    assert settle(call("other"), label("m", "y"))[0].worth.record == {"": "y"}
    assert settle(call("m", tier="small"), label("m", "y"))[0].worth.record == {"": "y"}
    assert settle(call())[0] is None


def test_the_teachers_own_logged_answer_has_its_voice():
    found, outcomes = settle(call("m", answer="x"), label("m", "y"))
    assert found.worth.outcome == "disputed"
    assert outcomes == {"c": "disputed"}
    found, outcomes = settle(call("m"), label("m", "y"), label("m", "x", 1))
    assert found.worth.record == {"": "x"}
    assert outcomes == {}
    assert found.answer.text == "x"


def test_s19_nobody_outvotes_the_answer_to_the_question_in_other_words():
    def judge(text, answer):
        return Worth("answered", {"": answer.text})

    def paid(name, text, repeat):
        answer = Answer(text)
        return Label("k", "t", "c", name, "random", "answered", answer, repeat=repeat)

    call = Call("c", Request("m", (Message("user", "x"),)), Answer("z"), "other")
    said = [paid("a", "x", 0), paid("a", "x", 1), paid("b", "x", 0)]
    for second, outcome in (("x", "answered"), ("y", "disputed")):
        ballot = Ballot({"c": [*said, paid("a", second, SECOND)]}, judge)
        found = ballot.settle(call, "x")
        assert found is not None
        assert found.worth.outcome == outcome
    alone = Ballot({"c": [paid("a", "x", SECOND)]}, judge).settle(call, "x")
    assert alone is not None
    assert alone.worth.outcome == "disputed"
