"""Opening: files, folders and globs; compression by content; streams cut anywhere."""

import gzip
import io
import os
import sys

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from stepdown.errors import LogError
from stepdown.logs import sources
from stepdown.logs.sources import BrokenStream, expand, is_stream, read_chunks, size, spool

TEXT = b"".join(b'{"line": %d}\n' % number for number in range(60_000))


def two_parts(pack):
    return pack(TEXT[:5000]) + pack(TEXT[5000:])


PACKED = {
    "plain": TEXT,
    "empty": b"",
    "gzip": gzip.compress(TEXT),
    "gzip members": two_parts(gzip.compress),
    "gzip padded": gzip.compress(TEXT) + b"\0" * 512,
    "zstd": zstandard.compress(TEXT),
    "zstd frames": two_parts(zstandard.compress),
    "zstd skippable": b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstandard.compress(TEXT),
    "zstd stream": zstandard.ZstdCompressor(write_content_size=False).compressobj().compress(b""),
}


def drained(path):
    pieces = []
    try:
        for piece in read_chunks(str(path), lambda _: None):
            pieces.append(piece)
    except BrokenStream:
        return b"".join(pieces), True
    return b"".join(pieces), False


@pytest.mark.parametrize("kind", PACKED)
def test_compression_is_told_by_content_not_by_name(tmp_path, kind):
    path = tmp_path / "log.txt"
    path.write_bytes(PACKED[kind])
    expected = b"" if kind in ("empty", "zstd stream") else TEXT
    assert drained(path) == (expected, False)


@pytest.mark.parametrize("kind", ["gzip", "gzip members", "zstd", "zstd frames"])
@pytest.mark.parametrize("share", [0.3, 0.8, 0.999])
def test_a_cut_stream_gives_what_came_before_the_cut(tmp_path, kind, share):
    data = PACKED[kind]
    path = tmp_path / "cut"
    path.write_bytes(data[: int(len(data) * share)])
    found, broken = drained(path)
    assert broken
    assert TEXT.startswith(found)
    if kind == "gzip" and share > 0.5:
        assert len(found) > len(TEXT) * 0.3


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_damaged_data_is_a_broken_stream(tmp_path, kind):
    data = bytearray(PACKED[kind])
    data[len(data) // 2 :] = b"\xff" * (len(data) - len(data) // 2)
    path = tmp_path / "damaged"
    path.write_bytes(data)
    found, broken = drained(path)
    assert broken
    assert len(found) <= len(TEXT)


def test_rubbish_after_a_gzip_member_is_told(tmp_path):
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(TEXT) + b"rubbish")
    assert drained(path) == (TEXT, True)


def test_pieces_stay_small_however_well_the_data_packs(tmp_path):
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(bytes(40_000_000)))
    assert max(map(len, read_chunks(str(path), lambda _: None))) <= 2 << 20


def test_progress_counts_bytes_on_disk(tmp_path):
    path = tmp_path / "log.gz"
    path.write_bytes(PACKED["gzip"])
    told = []
    list(read_chunks(str(path), told.append))
    assert sum(told) == size(str(path)) == len(PACKED["gzip"])


def test_a_folder_gives_its_log_files_at_any_depth_in_order(tmp_path):
    for name in ("b.jsonl", "a.ndjson.gz", "sub/c.json", "sub/D.JSONL.ZST", "readme.md", "x.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found, named = expand([str(tmp_path)])
    names = [path.removeprefix(f"{tmp_path}/") for path in found]
    assert names == ["a.ndjson.gz", "b.jsonl", "sub/D.JSONL.ZST", "sub/c.json"]
    assert not named


def test_globs_and_names_are_read_once(tmp_path):
    for name in ("a.log", "b.log", "c.txt"):
        (tmp_path / name).touch()
    one = str(tmp_path / "a.log")
    found, named = expand([one, str(tmp_path / "*.log"), one, "-"])
    assert found == [one, str(tmp_path / "b.log"), "-"]
    assert named == {one, "-"}


def test_a_name_with_brackets_is_a_file_before_it_is_a_glob(tmp_path):
    path = tmp_path / "log[1].jsonl"
    path.touch()
    assert expand([str(path)])[0] == [str(path)]


def test_missing_sources_say_what_to_do(tmp_path):
    with pytest.raises(LogError, match="does not exist; give a log file"):
        expand([str(tmp_path / "nothing.jsonl")])
    with pytest.raises(LogError, match="No log file is in the folder"):
        expand([str(tmp_path)])


def test_a_source_that_can_not_be_read_is_a_log_error(tmp_path):
    with pytest.raises(LogError, match="can't be read"):
        list(read_chunks(str(tmp_path), lambda _: None))


class Stdin:
    def __init__(self, data):
        self.buffer = io.BytesIO(data)


def test_stdin_is_read_and_left_open(monkeypatch):
    stdin = Stdin(PACKED["zstd"])
    monkeypatch.setattr(sys, "stdin", stdin)
    assert drained("-") == (TEXT, False)
    assert not stdin.buffer.closed
    assert size("-") == 0


@given(st.binary(max_size=300))
def test_spooling_keeps_every_byte(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("spool")
    # What begins so has lines of ours: neither UTF-16 nor such that "\r" alone ends.
    kept = spool(io.BytesIO(b"{\n" + data), folder)
    assert drained(kept) == (b"{\n" + data, False)
    assert [path.name for path in folder.iterdir()] == [kept.name]


@pytest.mark.parametrize("kind", ["plain", "gzip", "zstd"])
def test_a_spooled_stream_is_named_by_content_and_read_again(tmp_path, kind):
    first = spool(io.BytesIO(PACKED[kind]), tmp_path / "new")
    assert spool(io.BytesIO(PACKED[kind]), tmp_path / "new") == first
    assert drained(first) == (TEXT, False)
    assert spool(io.BytesIO(b"other"), tmp_path / "new") != first


def test_a_failing_spool_leaves_nothing(tmp_path, monkeypatch):
    class Failing(io.BytesIO):
        def read(self, *args):
            if self.tell():
                raise KeyboardInterrupt
            return super().read(*args)

    monkeypatch.setattr(sources, "_CHUNK", 10)
    with pytest.raises(KeyboardInterrupt):
        spool(Failing(TEXT), tmp_path)
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 30))
def test_every_line_of_a_spooled_stream_is_cleaned(tmp_path_factory, parts, size):
    text = b"\n".join([b"{", *parts])
    folder = tmp_path_factory.mktemp("spool")
    seen = []

    def clean(line):
        seen.append(line)
        return line.replace(b"a", b"bb")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "_CHUNK", size)
        kept = spool(io.BytesIO(text), folder, clean)
    assert drained(kept) == (text.replace(b"a", b"bb"), False)
    assert [line.rstrip(b"\n") for line in seen] == text.split(b"\n")


def test_a_stream_cut_off_is_spooled_as_one_that_is(tmp_path):
    kept = spool(io.BytesIO(PACKED["gzip"][:-9]), tmp_path)
    told, broken = drained(kept)
    assert broken
    assert TEXT.startswith(told)
    assert told


LINES = '{"a": "Zürich ☂"}\n{"b": 2}\n' * 5


@pytest.mark.parametrize(
    "data",
    [
        LINES.encode("utf-16"),
        LINES.encode("utf-16-le"),
        LINES.encode("utf-16-be"),
        ("\ufeff" + LINES).encode("utf-16-be"),
        LINES.replace("\n", "\r").encode(),
        LINES.replace("\n", "\r").encode("utf-16"),
    ],
    ids=lambda data: repr(data)[:16],
)
def test_lines_of_other_systems_are_ours(tmp_path, data, monkeypatch):
    monkeypatch.setattr(sources, "_CHUNK", 61)
    path = tmp_path / "log.jsonl"
    path.write_bytes(data)
    cleaned = []
    kept = spool(io.BytesIO(data), tmp_path, lambda line: cleaned.append(line) or line)
    assert drained(path) == drained(kept) == (LINES.encode(), False)
    assert b"".join(cleaned) == LINES.encode()


def test_a_carriage_return_beside_a_newline_stays(tmp_path):
    (tmp_path / "x").write_bytes(b"a\rb\r\nc\r\n")
    assert drained(tmp_path / "x") == (b"a\rb\r\nc\r\n", False)


def test_what_can_be_read_only_once_is_told_from_what_can_not_be_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert is_stream("-")
    assert is_stream(str(pipe))
    assert not is_stream(str(tmp_path))
    assert expand([str(pipe)]) == ([str(pipe)], frozenset([str(pipe)]))
    assert size(str(pipe)) == 0
    with pytest.raises(LogError, match="is a device or a socket"):
        expand(["/dev/zero"])
    with pytest.raises(LogError, match=r"\*\.csv or \*\.tsv"):
        (tmp_path / "empty").mkdir()
        expand([str(tmp_path / "empty")])
