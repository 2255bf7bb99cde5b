"""What there is to ask, and in which order."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from stepdown.cli import sources
from stepdown.cli.labelling.choosing import Chooser
from stepdown.cli.labelling.questions import Wanted, plan_of, question_of, text_of
from stepdown.cli.options import Session
from stepdown.cli.teachers import Teacher
from stepdown.config import Config, TeacherConfig
from stepdown.core.anatomy import Anatomy
from stepdown.core.calls import Answer, Call, Message, Request
from stepdown.core.labels import Parsed, Reserved, Sent, Stored
from stepdown.core.ports import silent
from stepdown.core.tasks import Signature, Task, Verdict
from stepdown.core.templates import Template
from stepdown.store.cleaning import drop_responses
from stepdown.store.ledger import Ledger
from stepdown.workspace import Workspace

SIGNATURE = Signature(system=Template(("Sort.",)))
TASK = Task("t1", "sort", SIGNATURE, Anatomy("text", (), 9, 1.0, 1.0), Verdict("distil"))
TEACHER = Teacher("big", "http://t/v1", None, TeacherConfig())


def call(id, model="small", tier="", text=None):
    messages = (Message("system", "Sort."), Message("user", text or f"text {id}"))
    return Call(id, Request(model, messages), Answer("a"), model, tier=tier)


CALLS = [
    *(call(f"own-{n}", "big") for n in range(5)),
    *(call(f"other-{n}") for n in range(5)),
    *(call(f"student-{n}", "stepdown/s", "small") for n in range(5)),
    Call("else", Request("m", (Message("user", "unlike"),)), Answer("a"), "m"),
]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path)
    workspace.write_task(TASK)
    calls = list(CALLS)
    monkeypatch.setattr(sources, "all_calls", lambda session, logs, progress, **_: iter(calls))
    ledger = Ledger(workspace.labels)
    yield Desk(Session(workspace, Config()), ledger, calls)
    ledger.close()


class Desk(msgspec.Struct):
    session: Session
    ledger: Ledger
    calls: list

    def plan(self, run=None, **wanted):
        at = (TASK, TEACHER, run)
        chooser = Chooser(self.session, TASK, "big", silent)
        return plan_of(chooser, at, self.ledger, Wanted("big", **wanted))

    def begin(self):
        return self.ledger.begin(TASK.id, "big", {})

    def commit(self, run, *steps):
        self.ledger.commit(run.id, steps)


def kinds(plan):
    return [kept.reserved.item.split("-")[0] for kept, _ in plan.asked]


def test_what_no_teacher_answered_comes_first_and_its_own_last(desk):
    plan = desk.plan(count=12)
    assert Counter(kinds(plan)) == {"student": 5, "other": 5, "own": 2}
    assert kinds(plan)[10:] == ["own"] * 2
    whys = [kept.reserved.why for kept, _ in plan.asked]
    assert whys[10:] == ["again"] * 2
    assert (plan.again, plan.fewer, plan.random) == (2, False, whys.count("random"))
    drawn = [kept.reserved for kept, _ in plan.asked if kept.reserved.why == "random"]
    assert all(0.0 < (one.probability or 0.0) <= 1.0 for one in drawn)
    assert desk.plan(count=12).asked == plan.asked


def test_its_own_answers_are_asked_again_only_where_that_many_are_wanted(desk):
    plan = desk.plan()
    assert (len(plan.asked), plan.again, plan.fewer) == (10, 0, True)
    assert len(desk.plan(count=99).asked) == 15


def test_one_question_is_asked_once(desk):
    desk.calls.append(call("other-9", text="text other-1"))
    assert len(desk.plan().asked) == 10


def begun(desk, count=10):
    run = desk.begin()
    plan = desk.plan(run, count=count)
    desk.commit(run, *(kept.reserved for kept, _ in plan.asked))
    return run, [kept.reserved for kept, _ in plan.asked]


def test_a_run_goes_on_with_what_it_has_begun(desk):
    run, items = begun(desk)
    one, two, three = items[:3]
    desk.commit(run, Sent(one.key, 1, 1.0, 5), Stored(one.key, 1, b"{}", 1.0))
    desk.commit(run, Parsed(one.key, "answered", Answer("a")))
    desk.commit(run, Sent(two.key, 1, 1.0, 5), Stored(two.key, 1, b"{}", 1.0))
    desk.commit(run, Sent(three.key, 1, 1.0, 5))
    plan = desk.plan(run, count=10)
    assert (plan.had, plan.again) == (2, 0)
    assert [kept.reserved for kept, _ in plan.raw] == [two]
    assert [kept.reserved for kept, _ in plan.asked] == items[2:]
    assert [kept.sends for kept, _ in plan.asked] == [1] + [0] * 7
    held = desk.plan(run, count=10, hold=True)
    assert ([kept.reserved for kept, _ in held.asked], held.held) == (items[3:], 1)
    assert len(desk.plan(run, count=12).asked) == 10
    assert len(desk.plan(run, count=5).asked) == 3


def test_what_is_gone_or_was_changed_in_the_log_is_not_asked(desk):
    run, items = begun(desk)
    desk.calls[:] = [
        call(one.id, "small", "small", "another text") if one.id == items[0].item else one
        for one in desk.calls
        if one.id != items[1].item
    ]
    plan = desk.plan(run, count=10)
    assert (plan.gone, [kept.reserved for kept, _ in plan.asked]) == (2, items[2:])


def test_a_request_that_no_log_has_is_the_ledgers(desk):
    run = desk.begin()
    request = CALLS[0].request
    key = TEACHER.question(TEACHER.body(request)[0], 0)
    desk.commit(run, Reserved(key, "synthetic-1", "synthetic", request=request))
    plan = desk.plan(run, count=1)
    assert [(kept.reserved.item, asked) for kept, asked in plan.asked] == [("synthetic-1", request)]


def test_the_question_as_it_is_sent(desk):
    kept, request = desk.plan(count=1).asked[0]
    question = question_of(TASK, TEACHER, kept, request)
    assert (question.body, question.most) == TEACHER.body(request)
    assert question.text == text_of(TASK, request) == request.messages[1].text
    assert isinstance(desk.session.workspace.labels, Path)


def answered(desk, terms=None):
    """A run with one answer that was read, and whose response was taken out since."""
    run = desk.ledger.begin(TASK.id, "big", terms or {})
    one, *_ = desk.plan(run, count=1).asked
    key = one[0].reserved.key
    desk.commit(run, one[0].reserved, Sent(key, 1, 1.0, 5), Stored(key, 1, b"{}", 1.0))
    desk.commit(run, Parsed(key, "answered", Answer("a")))
    desk.ledger.close()
    assert drop_responses(desk.session.workspace.labels, 2.0) == 1
    desk.ledger = Ledger(desk.session.workspace.labels)
    return one[0].reserved


def test_an_answer_whose_response_expired_is_there_in_a_new_run_too(desk):
    first = answered(desk, {"set of labels": "old"})
    plan = desk.plan(count=5)
    assert [(one.reserved.item, one.answer) for one, _ in plan.raw] == [(first.item, Answer("a"))]
    assert (len(plan.asked), plan.had) == (4, 0)


def test_what_perhaps_was_paid_for_in_another_run_is_held(desk):
    run, items = begun(desk, 1)
    desk.commit(run, Sent(items[0].key, 1, 1.0, 5))
    plan = desk.plan(count=3, hold=True)
    assert (plan.held, len(plan.asked)) == (1, 2)
