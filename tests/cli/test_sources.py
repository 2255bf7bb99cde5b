"""A command's calls: the same ones whoever reads them."""

import msgspec
from tests.cli.story import easy, write
from tests.cli.test_sharding import Beside

from stepdown.audit import Counting, report_on
from stepdown.cli.options import Session
from stepdown.cli.sources import all_calls, count_calls
from stepdown.config import Config
from stepdown.core.ports import silent
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
