"""File parts of every dialect: their text, or why a student can't see it."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.pdfs import make_pdf

from stepdown.wire import documents
from stepdown.wire.documents import document_text


def encoded(data):
    return base64.b64encode(data).decode()


def data_url(data, media_type="application/pdf"):
    return f"data:{media_type};base64,{encoded(data)}"


def chat_part(**file):
    return {"type": "file", "file": file}


PDF = make_pdf("Invoice 17")
PDF_PARTS = {
    "chat completions": chat_part(file_data=data_url(PDF), filename="a.pdf"),
    "bare base64": chat_part(file_data=encoded(PDF), filename="a.PDF"),
    "no name": chat_part(file_data=encoded(PDF)),
    "both": chat_part(file_data=data_url(PDF), file_id="file-1"),
    "responses": {"type": "input_file", "file_data": data_url(PDF), "filename": "a.pdf"},
    "messages": {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": encoded(PDF)},
    },
}


@pytest.mark.parametrize("part", PDF_PARTS.values(), ids=PDF_PARTS)
def test_a_pdf_is_read_whatever_the_dialect(part):
    pytest.importorskip("pypdf")
    assert document_text(part) == ("Invoice 17", "")


@pytest.mark.parametrize(
    "part",
    [
        chat_part(file_data=data_url("naïve".encode(), "text/plain; charset=utf-8")),
        chat_part(file_data=data_url("naïve".encode(), "text/markdown")),
        chat_part(file_data=encoded("naïve".encode()), filename="notes.txt"),
        chat_part(file_data=data_url(b"\xef\xbb\xbf" + "naïve".encode(), "text/csv")),
        {"type": "document", "source": {"type": "text", "data": "naïve"}},
    ],
)
def test_plain_text_is_read(part):
    assert document_text(part) == ("naïve", "")


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (chat_part(file_id="file-1"), "by its id"),
        ({"type": "input_file", "file_url": "https://example.com/a.pdf"}, "by its address"),
        ({"type": "document", "source": {"type": "url", "url": "https://a.b"}}, "by url"),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, "by file"),
        ({"type": "document"}, "by nothing"),
        (chat_part(file_data=data_url(b"PK", "application/zip")), "its type is application/zip"),
        (chat_part(file_data="data:text/plain;base64,?!"), "not base64"),
        (chat_part(file_data="data:text/plain;base64,ü"), "not base64"),
        (chat_part(file_data=data_url(b"\xff\xfe", "text/plain")), "not UTF-8"),
        (chat_part(file_data=data_url(b"  ", "text/plain")), "no text"),
    ],
)
def test_what_can_not_be_read_has_its_reason(part, why):
    text, said = document_text(part)
    assert text == "" and why in said


def test_large_parts_are_left(monkeypatch):
    monkeypatch.setattr(documents, "MOST_ENCODED", 8)
    assert document_text(chat_part(file_data=data_url(b"x" * 90, "text/plain")))[1].startswith("it")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(sorted(documents.KINDS))},
        optional={"file": ANYTHING, "source": ANYTHING, "file_data": ANYTHING, "text": ANYTHING},
    )
)
def test_odd_parts_have_a_text_or_a_reason(part):
    text, why = document_text(part)
    assert bool(text) != bool(why)
