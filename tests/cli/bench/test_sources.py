"""The formats' benchmark audits the same calls in each; the scan's finds what was planted."""

import json

import pytest
from tests.cli.bench.small import labelled, write_set
from tests.cli.story import call

from stepdown.cli.bench import sources
from stepdown.core.ports import silent


@pytest.fixture
def data(tmp_path, monkeypatch):
    write_set(tmp_path, "banking77", labelled(40))
    monkeypatch.setattr(sources, "_CALLS", 300)
    monkeypatch.setattr(sources, "_ROUNDS", 1)
    return tmp_path


def test_rates_and_their_shares_are_measured(data):
    figures = sources.audit_formats(data, silent)
    assert [figure.target for figure in figures] == [None, None, 0.6, None, 0.6]
    assert all(figure.number > 0 for figure in figures)


@pytest.mark.parametrize("form", sources.FORMATS)
def test_an_export_gives_the_audit_that_the_native_log_gives(data, capsys, form):
    native, other = data / "native.jsonl", data / "other.jsonl"
    sources.write_log(data, native, 300)
    written = (sources.FORMATS[form](json.loads(line)) for line in native.read_text().splitlines())
    other.write_text("".join(json.dumps(line) + "\n" for line in written))
    told = []
    for log in (native, other):
        assert call("audit", log, "--workspace", data / log.stem, "--json") == 0
        report = json.loads(capsys.readouterr().out)
        told.append(
            {
                task["name"]: [task[key] for key in ("id", "calls", "input_tokens", "anatomy")]
                for task in report["tasks"]
            }
        )
    assert told[0]
    assert told[0] == told[1]


def test_what_is_planted_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_LINES", 3000)
    scan, wrong = sources.code_scan(tmp_path, silent)
    assert "call sites" in scan.note
    assert wrong.number == 0
    assert wrong.must


def test_a_site_that_is_missed_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_LINES", 3000)
    planted = sources._repository
    monkeypatch.setattr(sources, "_repository", lambda folder: [*planted(folder), "missed.py"])
    assert sources.code_scan(tmp_path, silent)[1].number == 1
