"""The real worker process around a stand-in engine: answers, crashes, hangs, and starts again."""

import pytest

from stepdown.errors import Unavailable
from stepdown.students.needle.worker import Worker, WorkerError

from .conftest import TOOLS


@pytest.fixture
def worker(engine, archive):
    made = Worker(archive, TOOLS, answer_s=3.0)
    yield made
    made.close()


def test_every_question_is_the_first(worker):
    for text, name in (("cancel rome", "cancel"), ("cancel oslo", "cancel"), ("book x", "book")):
        (call,) = worker.ask(text)["function_calls"]
        assert call == {"name": name, "arguments": {"city": text.split()[-1]}}
    assert worker.ask("hello")["function_calls"] == []


@pytest.mark.parametrize("text", ["crash now", "hang now", "refuse now", "garbage now", "list it"])
def test_whatever_happens_in_the_engine_the_next_question_is_answered(worker, text):
    with pytest.raises(WorkerError):
        worker.ask(text)
    assert worker.ask("book rome")["function_calls"]


def test_odd_texts_are_asked(worker):
    for text in ("", "\ud800", "a\0b", "é" * 5000):
        assert worker.ask(text)["function_calls"] == []


def test_weights_that_the_engine_refuses_are_said(engine, archive):
    archive.write_bytes(b"nonsense")
    with pytest.raises(Unavailable, match="refused"):
        Worker(archive, TOOLS).start()


def test_without_an_engine_it_says_so(archive, monkeypatch, tmp_path):
    monkeypatch.setenv("NEEDLE3_LIB_PATH", str(tmp_path / "none.so"))
    with pytest.raises(Unavailable):
        Worker(archive, TOOLS).start()
    with pytest.raises(WorkerError):
        Worker(archive, TOOLS).ask("book rome")


def test_a_library_that_is_none_is_refused(archive, monkeypatch, tmp_path):
    (tmp_path / "bad.so").write_text("no library")
    monkeypatch.setenv("NEEDLE3_LIB_PATH", str(tmp_path / "bad.so"))
    with pytest.raises(Unavailable, match="refused"):
        Worker(archive, TOOLS).start()
