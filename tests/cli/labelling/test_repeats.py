"""What is asked a second time: a sample that is always the same, or what another was asked."""

import pytest
from tests.cli.labelling.test_asking import audited

from stepdown.cli.labelling.repeats import ALONE, REPEATED, Again, again_picks
from stepdown.cli.options import Session
from stepdown.cli.sources import calls_of
from stepdown.config import Config, TeacherConfig
from stepdown.core.ports import silent
from stepdown.workspace import Workspace

__all__ = ["audited"]


@pytest.fixture
def at(audited):
    config = Config(teacher=TeacherConfig(base_url="http://127.0.0.1:1"))
    session = Session(Workspace(audited / "ws"), config)
    return session, session.workspace.tasks()[0]


def test_a_run_is_told_from_others_by_what_it_asks():
    assert ALONE.terms == {}
    assert Again(repeats=1).terms == Again(repeats=3).terms == {"asked again": "100"}
    assert Again(beside="m").terms == {"asked beside": "m"}


def test_the_logs_answer_is_one_where_it_is_the_teachers(at):
    session, task = at
    picks = again_picks(
        session, (task, "gpt-5.2"), Again(repeats=2), set(), calls_of(session, task, silent)
    )
    assert {pick.repeat for pick in picks} == {1, 2}
    assert len(picks) == 2 * REPEATED
    other = again_picks(
        session, (task, "big"), Again(repeats=2), set(), calls_of(session, task, silent)
    )
    assert {pick.repeat for pick in other} == {0, 1, 2}
    # The same items whoever is asked, and drawn as likely as it says.
    assert {pick.item for pick in other} == {pick.item for pick in picks}
    assert {pick.why for pick in picks} == {"again"}
    assert picks[0].probability == pytest.approx(REPEATED / 450)


def test_more_repeats_begin_with_fewer(at):
    session, task = at

    def asked(repeats):
        picks = again_picks(
            session, (task, "big"), Again(repeats=repeats), set(), calls_of(session, task, silent)
        )
        return [(pick.item, pick.repeat) for pick in picks]

    assert set(asked(1)) < set(asked(3))


def test_nothing_was_asked_of_nobody(at):
    session, task = at
    assert (
        again_picks(
            session, (task, "x"), Again(beside="nobody"), set(), calls_of(session, task, silent)
        )
        == []
    )
