"""The worker process is kept, bounded in time, and started again when it was stopped or died."""

import sys

import pytest
from tests.wire.pdfs import make_pdf

from stepdown.wire import pdf
from stepdown.wire.pdf import PdfReader, pdf_text


@pytest.fixture
def reader_of():
    made = []

    def make(code=None, **settings):
        command = {} if code is None else {"command": (sys.executable, "-c", code)}
        made.append(PdfReader(**command, **settings))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


def test_one_worker_reads_file_after_file(reader_of):
    pytest.importorskip("pypdf")
    reader = reader_of()
    assert reader.read(make_pdf("one")) == ("one", "")
    worker = reader._worker.pid
    text, why = reader.read(b"junk")
    assert text == "" and "broken" in why
    assert reader.read(make_pdf("two")) == ("two", "")
    assert reader._worker.pid == worker


def test_a_file_seen_lately_is_not_read_again(reader_of):
    pytest.importorskip("pypdf")
    reader = reader_of()
    assert reader.read(make_pdf("same")) == ("same", "")
    reader.close()
    assert reader.read(make_pdf("same")) == ("same", "")
    assert reader._worker is None


def test_a_file_that_takes_for_ever_is_given_up(reader_of):
    reader = reader_of("import time; time.sleep(600)", deadline_s=0.2)
    for _ in range(2):
        assert reader.read(b"file") == ("", "reading it took more than 0.2 s")


def test_a_worker_that_dies_takes_no_request_with_it(reader_of):
    assert reader_of("import sys; sys.exit(3)").read(b"file") == (
        "",
        "reading it ended the process that reads",
    )


def test_an_answer_that_is_cut_off_is_no_answer(reader_of):
    cut = "import sys; sys.stdout.buffer.write(bytes([0, 0, 0, 0, 0, 0, 0, 0, 9]) + b'half')"
    assert reader_of(cut).read(b"file")[0] == ""


def test_who_waits_too_long_for_their_turn_is_told(reader_of):
    reader = reader_of("", deadline_s=0.05)
    with reader._lock:
        assert reader.read(b"file") == ("", "too many files are waiting to be read")


def test_a_forked_process_starts_a_worker_of_its_own(reader_of):
    pytest.importorskip("pypdf")
    reader = reader_of()
    reader.read(make_pdf("one"))
    parents, reader._owner = reader._worker, -1
    assert reader.read(make_pdf("two")) == ("two", "")
    assert reader._worker is not parents and parents.poll() is None
    reader.close()
    reader._worker, reader._owner = parents, __import__("os").getpid()


def test_without_the_extra_the_reason_names_it(monkeypatch):
    monkeypatch.setattr(pdf, "find_spec", lambda name: None)
    assert "stepdown[documents]" in pdf_text(make_pdf("x"))[1]


def test_large_files_are_left(monkeypatch):
    pytest.importorskip("pypdf")
    monkeypatch.setattr(pdf, "MOST_BYTES", 100)
    assert pdf_text(b"x" * 101)[1].startswith("it has more than")
