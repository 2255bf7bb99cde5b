"""A command's calls: the same ones whoever reads them."""

import json
from contextlib import closing

import msgspec
import pytest
from tests.cli.story import easy, write
from tests.cli.test_sharding import Beside

from stepdown.audit import Counting, report_on
from stepdown.cli.options import Session
from stepdown.cli.sources import all_calls, count_calls
from stepdown.config import Config
from stepdown.core.ports import Exchange, silent
from stepdown.engines.local import Local
from stepdown.store.sqlite import SqliteOutbox
from stepdown.workspace import Workspace
from stepdown.workspace.columns import note_columns


def counted(session, *sources):
    coverage, found = [], Counting()
    count_calls(session, sources, coverage, found, silent)
    return msgspec.json.encode(report_on(found, coverage))


def test_workers_find_what_one_process_finds(tmp_path):
    log = str(write(tmp_path / "log.jsonl", easy(900)))
    rows = tmp_path / "rows.csv"
    rows.write_text("question,reply\n" + "where is it,parcel\n" * 80, encoding="utf-8")
    alone = Session(Workspace(tmp_path / "w"), Config())
    note_columns(alone.workspace.columns, [str(rows)], {"input": "question", "output": "reply"})
    several = msgspec.structs.replace(alone, engine=Beside())
    assert counted(several, log, str(rows)) == counted(alone, log, str(rows))
    assert len(list(all_calls(alone, [log, str(rows)], silent))) == 980


def kept(path, lines):
    """Keep native lines in a store of calls, as a gateway does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(SqliteOutbox(path)) as outbox:
        for line in lines:
            data = json.dumps(line).encode()
            outbox.submit(Exchange(line["id"], line["time"], data, tier="frontier"), lambda _: None)


@pytest.mark.parametrize("workers", [False, True])
def test_a_call_of_a_store_and_of_a_log_is_counted_once(tmp_path, workers):
    lines = list(easy(60))
    log = str(write(tmp_path / "log.jsonl", lines))
    rows = tmp_path / "rows.csv"
    rows.write_text("name,question,reply\ncall-7,where is it,parcel\ncall-x,where,parcel\n")
    store, other = tmp_path / "store", tmp_path / "other"
    kept(store / "calls.db", lines)
    kept(other / "calls.db", [{**line, "id": f"gateway-{line['id']}"} for line in lines])
    session = Session(Workspace(tmp_path / "w"), Config(), engine=Beside() if workers else Local())
    columns = {"input": "question", "output": "reply", "id": "name"}
    note_columns(session.workspace.columns, [str(rows)], columns)
    for sources, calls in (
        ((str(store), log), 60),
        ((str(store), str(store / "calls.db")), 60),
        ((str(other), log), 60),
        ((log, str(rows)), 61),
        ((str(store), log, str(rows)), 61),
    ):
        coverage, found = [], Counting()
        count_calls(session, sources, coverage, found, silent)
        assert (sources, found.calls) == (sources, calls)
        assert sum(entry.calls for entry in coverage) == calls
        assert len(list(all_calls(session, sources, silent))) == calls


def test_what_was_captured_is_the_turn_of_a_call_that_a_log_has_too(tmp_path):
    lines = list(easy(60))
    log = str(write(tmp_path / "log.jsonl", lines))
    session = Session(Workspace(tmp_path / "w"), Config())
    kept(session.workspace.calls, [{**line, "stepdown": {"tier": "small"}} for line in lines[:20]])
    calls = list(all_calls(session, [log], silent))
    assert len(calls) == 60
    assert sum(call.tier == "small" for call in calls) == 20
    assert len(list(all_calls(session, [log], silent, forgotten=False))) == 80
    # All of the log was captured as well: that is no log without calls.
    kept(session.workspace.calls, lines)
    assert len(list(all_calls(session, [log], silent))) == 60


def test_columns_are_of_the_tables_that_need_them(tmp_path):
    log = str(write(tmp_path / "log.jsonl", easy(60)))
    rows = tmp_path / "rows.csv"
    rows.write_text("frage,label\n" + "where is it,parcel\n" * 20, encoding="utf-8")
    session = Session(Workspace(tmp_path / "w"), Config())
    told = {"input": "frage", "output": "label"}
    note_columns(session.workspace.columns, [log, str(rows)], told)
    coverage, found = [], Counting()
    count_calls(session, [log, str(rows)], coverage, found, silent)
    assert [(one.format, one.calls) for one in coverage] == [("native", 60), ("plain", 20)]
