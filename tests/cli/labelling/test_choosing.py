"""The log is read once, its student learns nothing that is kept apart, and the need is told."""

import pytest
from tests.label.test_pool import TASK, call, text

from stepdown.cli import sources
from stepdown.cli.labelling.choosing import Chooser
from stepdown.cli.options import Session
from stepdown.config import Config
from stepdown.core.calls import Answer
from stepdown.core.labels import Label
from stepdown.core.ports import silent
from stepdown.label.heldout import KEPT_APART
from stepdown.workspace import Workspace


@pytest.fixture
def desk(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path)
    workspace.write_task(TASK)
    return Desk(Session(workspace, Config()), monkeypatch)


class Desk:
    """Inputs in which "card" or "loan" stands, and what they are about."""

    def __init__(self, session, monkeypatch):
        self.session = session
        self.reads = 0
        self.calls = [
            call(f"c{at}", f"{('card', 'loan')[at % 2]} {text(at)}", time=float(at))
            for at in range(1800)
        ]
        monkeypatch.setattr(sources, "all_calls", self.read)

    def read(self, session, logs, progress, *, unanswered):
        self.reads += 1
        return iter(self.calls)

    def chooser(self):
        return Chooser(self.session, TASK, "big", silent)


def label(pick):
    answer = Answer("ab"[int(pick.item[1:]) % 2])
    return Label("k", "t", pick.item, "big", pick.why, "answered", answer)


def test_rounds_learn_from_the_answers_and_read_the_log_once(desk):
    chooser = desk.chooser()
    chooser.read({}, frozenset({"c7"}))
    need = chooser.need()
    assert need.rows > need.least > need.have == 0
    first = chooser.choose(200, again=False)
    assert {pick.why for pick in first.picks} == {"random", "novel"}
    chooser.read({pick.item: label(pick) for pick in first.picks}, frozenset())
    second = chooser.choose(60, again=False)
    assert {"random", "uncertain"} <= {pick.why for pick in second.picks}
    assert not {p.item for p in first.picks} & {p.item for p in second.picks}
    assert desk.reads == 1
    assert chooser.requests == {"c7": desk.calls[7].request}
    assert all(one.coin >= KEPT_APART for one in chooser.pool.open)
    assert chooser.round() == 300


def test_the_same_answers_give_the_same_questions_again(desk):
    """A run that was stopped goes on with what it would have asked."""
    picks = []
    for _ in range(2):
        chooser = desk.chooser()
        chooser.read({}, frozenset())
        told = {pick.item: label(pick) for pick in chooser.choose(150, again=False).picks}
        fresh = desk.chooser()
        fresh.read(told, frozenset())
        picks.append(fresh.choose(50, again=False).picks)
    assert picks[0] == picks[1]
