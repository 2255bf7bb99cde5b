"""A store is cleared by the command where no gateway runs, else by that, never by nobody."""

import json
from contextlib import closing

import pytest

from stepdown.cli import keeping
from stepdown.cli.keeping import clear_stores, keeper_of
from stepdown.cli.options import Session
from stepdown.config import Config
from stepdown.core.people import mark_of
from stepdown.core.ports import Exchange
from stepdown.errors import Refusal
from stepdown.store.reading import read_lines
from stepdown.store.sqlite import SqliteOutbox
from stepdown.workspace import Workspace
from stepdown.workspace.forgotten import note_forgotten


@pytest.fixture
def session(tmp_path):
    return Session(Workspace(tmp_path), Config())


def filled(path):
    outbox = SqliteOutbox(path)
    for number in range(6):
        user = "ann" if number % 2 else "bob"
        line = json.dumps({"id": f"c{number}", "request": {"user": user}}).encode()
        outbox.commit([Exchange(f"c{number}", float(number), line)])
    return outbox


def left(session):
    return [line for line in read_lines(session.workspace.calls) if b"ann" in line]


def test_without_a_gateway_the_command_does_it(session):
    filled(session.workspace.calls).close()
    assert clear_stores(session) == 0
    note_forgotten(session.workspace.forgotten, {mark_of("ann"): 10.0})
    assert clear_stores(session) == 3
    assert left(session) == []
    assert clear_stores(session, before=4.0) == 2


def test_a_gateway_that_runs_does_it(session):
    with (
        closing(filled(session.workspace.calls)) as outbox,
        closing(keeper_of(session, outbox)),
    ):
        note_forgotten(session.workspace.forgotten, {mark_of("ann"): 10.0})
        assert clear_stores(session) == 0
        assert left(session) == []


def test_a_gateway_that_does_not_is_named(session, monkeypatch):
    monkeypatch.setattr(keeping, "_WAIT_S", 0.3)
    with closing(filled(session.workspace.calls)):
        note_forgotten(session.workspace.forgotten, {mark_of("ann"): 10.0})
        with pytest.raises(Refusal, match="stop it and type the same command again"):
            clear_stores(session)
