"""Whose the things in a workspace are: one answer for who forgets and for who exports."""

import json

from tests.cli.story import call, easy, write

from stepdown.cli.holdings import Holdings, holdings, ids_in, owners_of, plainly
from stepdown.cli.options import Session
from stepdown.config import Config
from stepdown.core.calls import Answer
from stepdown.core.labels import Label
from stepdown.core.people import mark_of
from stepdown.core.ports import Line, silent
from stepdown.workspace import Workspace

ANN = mark_of("ann")


def test_a_text_on_one_line():
    assert plainly(" a\n b\t c ") == "a b c"


def test_the_ids_of_a_line_and_the_rows_that_one_is_about():
    assert {"a", "b"} < ids_in(Line(b'{"id": "a", "custom_id": "b"}', "x", 1))
    assert ids_in(Line(b"no", "x", 1)) == set()
    assert owners_of(b'{"item": "a"}') == owners_of(b'{"row": "a", "id": ""}') == {"a"}
    assert owners_of(b"{") is None


def test_labels_are_known_by_source_by_call_and_by_what_they_are_made_of():
    theirs = Holdings(ANN, {"c1"})

    def label(item, source=""):
        return Label("k", "t", item, "big", "random", "answered", Answer("x"), source=source)

    assert theirs.has_label(label("c2", ANN))
    assert theirs.has_label(label("c1"))
    assert theirs.has_label(label("writing-9"), frozenset({"c1", "c3"}))
    assert not theirs.has_label(label("c2", mark_of("bob")), frozenset({"c3"}))


def test_who_is_a_calls_group_has_its_rows_with_the_log_or_without(tmp_path):
    lines = list(easy(700))
    for one in lines[::7]:
        one["metadata"] = {"group": "ann"}
    log = write(tmp_path / "log.jsonl", lines)
    assert call("run", log, "--workspace", tmp_path / "ws", "--json") == 0
    session = Session(Workspace(tmp_path / "ws"), Config())
    found = holdings(session, ANN, silent)
    assert (len(found.ids), found.problem) == (100, "")
    (task,) = session.workspace.tasks()
    assert found.said[task.id]
    log.write_text(json.dumps(lines[0]) + "\n", encoding="utf-8")
    log.unlink()
    again = holdings(session, ANN, silent)
    assert "could be read again" in again.problem
    assert 20 < len(again.ids) <= 100


def test_requests_without_an_answer_are_somebodys_too(tmp_path):
    """A paid answer can make a row of one, so whoever is forgotten has them."""
    lines = list(easy(450))
    for one in lines[:30]:
        one["metadata"] = {"user": "ann"}
    for one in lines[:10]:
        one["response"] = None
    log = write(tmp_path / "log.jsonl", lines)
    assert call("audit", log, "--workspace", tmp_path / "ws") == 0
    session = Session(Workspace(tmp_path / "ws"), Config())
    found = holdings(session, ANN, silent)
    assert found.ids >= {one["id"] for one in lines[:30]}
