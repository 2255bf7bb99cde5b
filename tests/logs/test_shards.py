"""Shards of logs: read apart and put together, they are the log."""

import json

from stepdown import plugins
from stepdown.core.audits import SourceCoverage
from stepdown.logs import read_calls, shards
from stepdown.logs.reading import Reading
from stepdown.logs.shards import Shard, account, read_shard, shards_of


def line(number):
    request = {"model": "m", "messages": [{"role": "user", "content": f"text {number}"}]}
    answer = {"choices": [{"message": {"role": "assistant", "content": "x"}}]}
    return json.dumps({"id": str(number), "request": request, "response": answer})


def test_shards_make_up_the_log(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_LINES", 4)
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join([*map(line, range(9)), "{", "", '{"request": 1}']), "utf-8")
    coverage, together = [], []
    calls, whole = [], SourceCoverage(str(path), "native")
    for shard, entry in shards_of(Reading(together), [str(path)], plugins.log_formats()):
        assert entry is together[0]
        assert isinstance(shard, Shard)
        assert len(shard.lines) <= 4
        read = read_shard(shard)
        account(whole, read.entry)
        calls += read.calls
    whole.calls = len(calls)
    assert calls == list(read_calls([str(path)], plugins.log_formats(), coverage))
    assert coverage == [whole]


def test_long_lines_make_small_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_BYTES", 300)
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(line, range(9))), "utf-8")
    found = list(shards_of(Reading([]), [str(path)], plugins.log_formats()))
    assert len(found) > 3
    assert sum(len(shard.lines) for shard, _ in found if isinstance(shard, Shard)) == 9


def test_what_joins_lines_is_not_cut(tmp_path):
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    answer = {"choices": [{"message": {"role": "assistant", "content": "y"}}]}
    given = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    got = {"id": "b", "custom_id": "a", "response": {"status_code": 200, "body": answer}}
    (tmp_path / "in.jsonl").write_text(json.dumps(given), "utf-8")
    (tmp_path / "out.jsonl").write_text(json.dumps(got), "utf-8")
    coverage = []
    [(calls, _)] = shards_of(Reading(coverage), [str(tmp_path)], plugins.log_formats())
    assert not isinstance(calls, Shard)
    assert [call.answer.text for call in calls] == ["y"]
    assert coverage[0].joined == 1
