"""What stands in a PDF file, and which files have no text to rely on."""

import io

import pytest
from tests.wire.pdfs import bomb_pdf, encrypted_pdf, make_pdf

from stepdown.wire import pdf_worker
from stepdown.wire.pdf_worker import Unread, extract, serve

pytest.importorskip("pypdf")


def test_the_text_of_all_pages_is_read_in_order():
    assert extract(make_pdf("Invoice 17", "Total 12.50")) == "Invoice 17\nTotal 12.50"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: encrypted_pdf("secret"), "encrypted"),
        (lambda: make_pdf("text")[:200], "broken"),
        (lambda: b"not a PDF file at all", "broken"),
        (lambda: b"", "broken"),
        (lambda: make_pdf("text", None), "page 2 is an image"),
        (lambda: make_pdf(""), "no text"),
        (bomb_pdf, "broken|memory|no text"),
    ],
)
def test_a_file_without_text_to_rely_on_is_left(make, why):
    with pytest.raises(Unread, match=why):
        extract(make())


def test_long_files_are_left(monkeypatch):
    monkeypatch.setattr(pdf_worker, "MOST_PAGES", 2)
    with pytest.raises(Unread, match="more than 2 pages"):
        extract(make_pdf("a", "b", "c"))
    monkeypatch.setattr(pdf_worker, "MOST_TEXT", 5)
    with pytest.raises(Unread, match="more than 5 characters"):
        extract(make_pdf("a long line"))


def test_frames_are_answered_one_by_one_until_the_end():
    files = [make_pdf("one"), b"junk", make_pdf("two")]
    asked = io.BytesIO(b"".join(len(f).to_bytes(8) + f for f in files) + b"\0\0")
    answers = io.BytesIO()
    serve(asked, answers)
    said = answers.getvalue()
    assert said[:12] == b"\0" + (3).to_bytes(8) + b"one"
    assert said.endswith(b"\0" + (3).to_bytes(8) + b"two")
    assert said[12] == 1
