"""Whole readings: every format from files, folders and stdin, and every line accounted for."""

import gzip
import io
import json
import sys
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.calls import UNANSWERED, Answer
from stepdown.errors import LogError
from stepdown.logs import lines, read_calls, reading, reasons

FIXTURES = Path(__file__).parent / "fixtures"
FILES = {
    "native": FIXTURES / "native.jsonl",
    "openai-batch": FIXTURES / "batch",
    "openai-stored": FIXTURES / "stored.json",
    "openai-finetune": FIXTURES / "finetune.jsonl",
}
ANSWERS = ["account", "billing", "delivery", "delivery"]


@pytest.mark.parametrize("name", FILES)
def test_each_format_is_told_and_read(log, name):
    calls, (entry,) = log.read(FILES[name])
    assert entry.format == name
    assert sorted(call.answer.text or "" for call in calls) == ANSWERS
    assert {call.request.messages[0].role for call in calls} == {"system"}
    assert (entry.calls, entry.duplicates, entry.rejected) == (4, 0, {})
    assert entry.joined == (4 if name == "openai-batch" else 0)


def test_all_formats_are_read_from_one_folder(log):
    calls, coverage = log.read(FIXTURES)
    assert [entry.format for entry in coverage] == [
        "openai-finetune",
        "native",
        "openai-stored",
        "openai-batch",
    ]
    # Two of them have the same calls at the same times.
    assert (len(calls), sum(entry.duplicates for entry in coverage)) == (8, 8)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_packed_and_cut_logs_keep_what_came_before(log, tmp_path, pack):
    path = tmp_path / "log.jsonl"
    rows = [log.line(f"call-{number}", str(number) * 50) for number in range(5000)]
    packed = pack(b"\n".join(rows))
    path.write_bytes(packed)
    assert len(log.read(path)[0]) == 5000
    path.write_bytes(packed[: len(packed) * 2 // 3])
    calls, (entry,) = log.read(path)
    assert 0 < len(calls) < 5000
    assert entry.rejected == {reasons.BROKEN_STREAM: 1}
    assert [call.id for call in calls] == [f"call-{number}" for number in range(len(calls))]


def test_stdin_is_read_once_and_streamed(log, monkeypatch):
    class Stdin:
        buffer = io.BytesIO(b"\n".join(log.line(str(number)) for number in range(3)))

    monkeypatch.setattr(sys, "stdin", Stdin)
    calls, (entry,) = log.read("-")
    assert [call.id for call in calls] == ["0", "1", "2"]
    assert entry.source == "-"


def test_a_batch_on_stdin_is_joined(log, monkeypatch):
    halves = [FILES["openai-batch"] / name for name in ("input.jsonl", "output.jsonl")]
    both = io.BytesIO(b"".join(path.read_bytes() for path in halves))
    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": both}))
    assert len(log.read("-")[0]) == 4


def test_the_same_id_is_one_call_across_files(log, tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_bytes(log.line("one") + b"\n" + log.line(name))
    calls, coverage = log.read(tmp_path)
    assert [call.id for call in calls] == ["one", "a.jsonl", "b.jsonl"]
    assert [entry.duplicates for entry in coverage] == [0, 1]


def test_repeats_without_ids_stay_and_ids_are_the_same_next_time(log, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n".join([log.line(None)] * 3))
    calls, (entry,) = log.read(path)
    assert (len(calls), entry.duplicates) == (3, 0)
    assert [call.id for call in log.read(path)[0]] == [call.id for call in calls]


def test_past_the_cap_duplicates_are_not_told_and_a_note_says_so(log, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_KNOWN_IDS", 2)
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n".join(log.line(name) for name in "abccab"))
    calls, (entry,) = log.read(path)
    assert [call.id for call in calls] == ["a", "b", "c", "c"]
    assert entry.duplicates == 2
    assert len(entry.notes) == 1
    assert "first 2 ids" in entry.notes[0]


GOOD = st.integers(0, 4).map(lambda number: ("call", str(number)))
BAD = st.sampled_from(
    [
        b"",
        b"  \r",
        b"not json",
        b"[]",
        b"\xff\xfe",
        b'{"request": {"messages": []}, "response"',
        b'{"request": {"messages": []}}',
        b'{"request": {"messages": [{"role": "user"}]}, "response": {"error": {}}}',
        b'{"response": {}}',
        b"{}",
        b'"caf\xe9"',
        b"10 %\r100 %",
        b"x" * 1000,
    ]
)


@given(st.lists(GOOD | BAD, max_size=12))
def test_every_line_is_a_call_a_duplicate_or_rejected(log, tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("law") / "log.jsonl"
    data = [log.line(row[1]) if isinstance(row, tuple) else row for row in rows]
    path.write_bytes(b"\n".join([log.line("first"), *data]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "MAX_LINE", 900)
        calls, (entry,) = log.read(path)  # log.read holds the sum to the law
    names = [row[1] for row in rows if isinstance(row, tuple)]
    assert {call.id for call in calls} == {"first", *names}
    assert entry.lines == 1 + sum(isinstance(row, tuple) or bool(row.strip()) for row in rows)
    assert entry.duplicates == len(names) - len(set(names))


def test_half_a_log_of_cut_lines_is_read_around(log, tmp_path):
    path = tmp_path / "log.jsonl"
    rows = [log.line(str(number)) for number in range(20)]
    path.write_bytes(b"\n".join(row[:50] if n % 2 == 0 else row for n, row in enumerate(rows)))
    calls, (entry,) = log.read(path)
    assert (len(calls), entry.rejected) == (10, {reasons.CUT_OFF: 10})


NOT_LOGS = [
    (b"\x89PNG\r\n\x1a\n\0\0\0", "a PNG image"),
    (b"id,text\n1,hi\n2,ho\n", "a CSV table whose columns (id, text) are not known"),
    (b'question;label\n"Hi; there, you";a\nhi, all;b\n', "a CSV table"),
    (b"Dear all,\n\nthe logs are attached.\n", "text that is not JSON"),
    (b'{"name": "x", "version": 1}', "JSON of no known format"),
    (b"\x1f\x8b\x08\0", "damaged compressed file"),
    (b"x" * 3000, "line too long"),
    (b"[" + b" " * 3000 + b"]", "JSON document too large"),
]


@pytest.mark.parametrize(("data", "found"), NOT_LOGS)
def test_a_file_that_is_no_log_is_an_error_in_one_sentence(log, tmp_path, monkeypatch, data, found):
    monkeypatch.setattr(lines, "MAX_LINE", 2000)
    monkeypatch.setattr(lines, "MAX_DOCUMENT", 2000)
    path = tmp_path / "thing.bin"
    path.write_bytes(data)
    with pytest.raises(LogError) as caught:
        log.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path} is ")
    assert found in message
    assert "\n" not in message
    assert ("`request` and `response`" in message) != ("--map input=" in message)


def test_a_stray_file_in_a_folder_is_counted_not_fatal(log, tmp_path):
    (tmp_path / "log.jsonl").write_bytes(log.line())
    (tmp_path / "package.json").write_text('{\n "name": "x"\n}')
    calls, coverage = log.read(tmp_path)
    assert len(calls) == 1
    stray = coverage[1]
    assert (stray.format, stray.rejected) == ("", {reading.UNKNOWN_FORMAT: 1})
    assert stray.notes == [
        "This file is JSON of no known format (its first object has the keys: name)."
    ]


def test_a_missing_source_is_an_error_before_anything_is_read(log):
    with pytest.raises(LogError, match="does not exist"):
        read_calls(["nowhere.jsonl"], log.formats, [])


def test_a_log_without_one_call_says_why(log, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n".join([log.line(response=None)] * 2 + [log.line()[:40]]))
    with pytest.raises(LogError, match=r"3 lines \(no answer: 2, line cut off: 1\)"):
        log.read(path)


def test_an_empty_file_is_called_empty(log, tmp_path):
    (tmp_path / "log.jsonl").write_bytes(b"\n")
    with pytest.raises(LogError, match=r"log\.jsonl is empty; give JSON Lines"):
        log.read(tmp_path / "log.jsonl")


def test_an_empty_stdin_is_called_stdin(log, monkeypatch):
    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": io.BytesIO()}))
    with pytest.raises(LogError, match="stdin is empty; give JSON Lines"):
        log.read("-")


def test_progress_ends_at_the_size_on_disk(log):
    told = []
    sources = [str(path) for path in FILES.values()]
    list(read_calls(sources, log.formats, [], lambda *step: told.append(step)))
    files = [path for path in FIXTURES.rglob("*") if path.is_file()]
    total = sum(path.stat().st_size for path in files)
    assert told[-1] == ("reading", total, total)
    assert {stage for stage, _, _ in told} == {"reading"}


def test_stopping_early_closes_the_file(log, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n".join(log.line(str(number)) for number in range(5)))
    calls = read_calls([str(path)], log.formats, [])
    assert next(iter(calls)).id == "0"
    del calls  # an unclosed file would be a ResourceWarning, and warnings are errors


def test_many_batch_files_have_one_coverage(log, tmp_path):
    for number in range(5):
        body = log.request(str(number))
        asked = {"custom_id": f"c{number}", "body": body, "url": "/v1/chat/completions"}
        answer = {"status_code": 200, "body": log.response()}
        got = {"custom_id": f"c{number}", "id": str(number), "response": answer}
        (tmp_path / f"in-{number}.jsonl").write_text(json.dumps(asked))
        (tmp_path / f"out-{number}.jsonl").write_text(json.dumps(got))
    calls, (entry,) = log.read(tmp_path)
    assert len(calls) == 5
    assert entry.source.endswith("and 7 more")


EXPORTS_FOLDER = Path(__file__).parent / "exports"
EXPORTS = sorted(path for path in EXPORTS_FOLDER.iterdir() if path.is_file())
HOSTILE = (
    "</script><img src=x onerror=alert(1)> \u202e {{7*7}} '; DROP TABLE calls; -- \ud800\x00 \\\" {"
)


def told(log, path):
    """Read a file; return its calls' texts, none where it is refused, in one sentence."""
    try:
        calls, _ = log.read(path)
    except LogError as error:
        assert "\n" not in str(error)
        return set()
    return {(call.request.messages[-1].text, call.answer.text) for call in calls}


@pytest.mark.parametrize("path", EXPORTS, ids=lambda path: path.stem)
def test_an_export_cut_off_anywhere_is_counted_and_nothing_is_invented(log, tmp_path, path):
    whole, data = told(log, path), path.read_bytes()
    cut = tmp_path / path.name
    for end in range(0, len(data), max(1, len(data) // 40)):
        cut.write_bytes(data[:end])
        assert told(log, cut) <= whole
    cut.write_bytes(gzip.compress(data)[:-20])
    assert told(log, cut) <= whole


def replaced(value, at, hostile):
    """Return JSON with its `at`-th text replaced; None: it has fewer."""
    count = iter(range(10**6))

    def walk(one):
        if isinstance(one, str):
            return hostile if next(count) == at else one
        if isinstance(one, list):
            return [walk(item) for item in one]
        return {key: walk(item) for key, item in one.items()} if isinstance(one, dict) else one

    changed = walk(value)
    return changed if next(count) > at else None


@pytest.mark.parametrize("path", EXPORTS, ids=lambda path: path.stem)
def test_hostile_text_in_any_field_is_read_or_told(log, tmp_path, path):
    text = path.read_text()
    whole = path.suffix == ".json"
    lines = [json.loads(text)] if whole else [json.loads(line) for line in text.splitlines()]
    changed = tmp_path / path.name
    at = 0
    while (first := replaced(lines[0], at, HOSTILE)) is not None:
        at += 1
        changed.write_text("\n".join(json.dumps(line) for line in [first, *lines[1:]]))
        told(log, changed)  # every line is a call, or rejected by a reason: `log.read` checks it
    assert at > 5


def test_requests_without_an_answer_come_only_where_they_are_asked_for(log, tmp_path):
    """Whatever the format, they are counted by their reason, and are no call of the audit."""
    failed = {"error": {"message": "overloaded"}}
    lines = [
        log.line("a"),
        log.line("b", "null", response=None, time=1.7e9, metadata={"stepdown_task": "t"}),
        json.dumps({"id": "c", "request": log.request("missing")}).encode(),
        log.line("d", "failed", response=failed),
        log.line("e", "status", status=500),
        json.dumps({"id": "f", "request": {"messages": 3}}).encode(),
    ]
    (tmp_path / "native.jsonl").write_bytes(b"\n".join(lines))
    asked = {"custom_id": "1", "url": "/v1/chat/completions", "body": log.request("batch")}
    other = {"custom_id": "2", "url": "/v1/embeddings", "body": {"model": "e", "input": "x"}}
    batch = "\n".join(map(json.dumps, (asked, other)))
    (tmp_path / "batch.jsonl").write_text(batch)
    calls, coverage = log.read(tmp_path)
    assert [call.id for call in calls] == ["a"]
    again = []
    found = list(read_calls([str(tmp_path)], log.formats, again, unanswered=True))
    assert again == coverage
    assert {type(reason) for entry in coverage for reason in entry.rejected} == {str}
    open_ = [call for call in found if call.tier == UNANSWERED]
    texts = [call.request.messages[-1].text for call in open_]
    assert texts == ["null", "missing", "failed", "status", "batch"]
    assert all(call.answer == Answer() for call in open_)
    assert (open_[0].id, open_[0].time, open_[0].task) == ("b", 1.7e9, "t")
    assert len({call.id for call in found}) == len(found) == 6


def test_a_log_of_requests_alone_says_who_can_answer_them(log, tmp_path):
    asked = {"custom_id": "1", "url": "/v1/chat/completions", "body": log.request("batch")}
    (tmp_path / "in.jsonl").write_text(json.dumps(asked))
    with pytest.raises(LogError, match=r"requests without an answer: 1\..*label TASK --teacher"):
        log.read(tmp_path / "in.jsonl")


def test_exports_of_the_same_calls_are_read_once(log):
    """Three tools export the same four calls, each with its own ids and names of the model."""
    calls, coverage = log.read(
        *(
            EXPORTS_FOLDER / name
            for name in ("litellm_spend.jsonl", "langfuse_blob.jsonl", "otel.jsonl")
        )
    )
    assert (len(calls), sum(entry.duplicates for entry in coverage)) == (4, 8)


def test_a_file_read_twice_under_two_names_counts_once_where_its_lines_have_times(log, tmp_path):
    rows = [log.line(None, str(number), time=1.7e9 + number) for number in range(50)]
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_bytes(b"\n".join(rows))
    assert len(log.read(tmp_path)[0]) == 50
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(rows * 2))
    assert len(log.read(tmp_path / "a.jsonl")[0]) == 50
    # A caller that asks twice in a second is told by its ids.
    named = [log.line(name, time=1.7e9) for name in "ab"]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(named))
    assert len(log.read(tmp_path / "a.jsonl")[0]) == 2


def test_a_line_that_is_the_string_of_an_object_is_read(log, tmp_path):
    rows = [log.line("a"), json.dumps(log.line("b", "ü").decode()).encode(), b'"text"', b'"{']
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n".join(rows))
    calls, (entry,) = log.read(path)
    assert [call.id for call in calls] == ["a", "b"]
    assert entry.rejected == {reasons.NOT_AN_OBJECT: 1, reasons.NOT_JSON: 1}


def test_a_table_of_unknown_columns_in_a_folder_says_so_of_its_lines(log, tmp_path):
    (tmp_path / "log.jsonl").write_bytes(log.line())
    (tmp_path / "c.csv").write_text("frage,marke\nhi,a\n")
    _, (stray, _) = log.read(tmp_path)
    assert stray.rejected == {reading.UNKNOWN_COLUMNS: 1}
    assert "--map input=COLUMN" in stray.notes[0]
