"""The demo's log is made from the sets alone, and its held-out texts were never trained on."""

import io

import zstandard
from tests.cli.bench.small import booked, labelled, write_set

from stepdown.cli.demo import make_log


def sets(data):
    write_set(data, "banking77", labelled(120))
    write_set(data, "dstc8_spans", booked(80))
    write_set(data, "snips", booked(80))
    return data


def test_held_out_texts_are_not_in_the_log(tmp_path):
    data = sets(tmp_path)
    log, held_out = make_log.calls(data, "train"), make_log.calls(data, "test", 10)

    def texts(lines):
        return {line["request"]["messages"][-1]["content"].lower() for line in lines}

    assert held_out
    assert not texts(log) & texts(held_out)
    assert {line["metadata"]["stepdown_task"] for line in log} == set(make_log.TASKS)
    assert [line["time"] for line in log] == sorted(line["time"] for line in log)
    assert all("latency_ms" not in line for line in log)


def test_both_files_are_written_the_same_every_time(tmp_path):
    data = sets(tmp_path / "data")
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        make_log.write(data, tmp_path / name)
        raw = (tmp_path / name / "log.jsonl.zst").read_bytes()
        written.append(zstandard.ZstdDecompressor().stream_reader(io.BytesIO(raw)).read())
    assert written[0] == written[1]
    assert (tmp_path / "one" / "held_out.jsonl.zst").is_file()
