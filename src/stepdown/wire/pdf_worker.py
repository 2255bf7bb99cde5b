"""The process that reads PDF files for `wire.pdf`: one file after another, with little memory.

A file is hostile until it is read: whatever it does to this process, the one that serves goes on.
Frames on standard input are a length (8 bytes, big-endian) and the file; each answer is one byte
(0: the text, 1: why there is none), a length and UTF-8.
"""

import io
import logging
import resource
import sys
from typing import Any, BinaryIO

__all__ = ["MOST_PAGES", "MOST_TEXT", "Unread", "extract", "serve"]

MOST_PAGES = 500
MOST_TEXT = 4_000_000
_MEMORY_BYTES = 1 << 30


class Unread(Exception):
    """Why a file has no text that a student could rely on."""


def _page_text(page: Any, number: int) -> str:
    text: str = page.extract_text()
    if not text.strip() and "/XObject" in (page.get("/Resources") or {}):
        raise Unread(f"page {number} is an image")
    return "\n".join(line.rstrip() for line in text.splitlines())


def extract(data: bytes) -> str:
    """Return the text of a PDF file, its pages joined by newlines.

    Raises:
        Unread: it is encrypted, broken, too long, or a page of it is an image.
    """
    import pypdf
    from pypdf.errors import PyPdfError

    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted:
            raise Unread("it is encrypted")
        if len(reader.pages) > MOST_PAGES:
            raise Unread(f"it has more than {MOST_PAGES} pages")
        texts: list[str] = []
        room = MOST_TEXT
        for number, page in enumerate(reader.pages, 1):
            texts.append(_page_text(page, number))
            room -= len(texts[-1])
            if room < 0:
                raise Unread(f"it has more than {MOST_TEXT:,} characters")
    except (PyPdfError, ValueError, LookupError, TypeError, AttributeError, OSError) as problem:
        # Broken files surface in pypdf as any of these.
        raise Unread(f"it is broken ({type(problem).__name__})") from problem
    except (MemoryError, RecursionError) as problem:
        raise Unread("it takes too much memory") from problem
    text = "\n".join(texts)
    if not text.strip():
        raise Unread("it has no text")
    return text


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer every frame of `requests` until it ends."""
    while len(head := requests.read(8)) == 8:
        data = requests.read(int.from_bytes(head))
        try:
            failed, said = False, extract(data)
        except Unread as reason:
            failed, said = True, str(reason)
        written = said.encode("utf-8", "replace")
        answers.write(bytes([failed]) + len(written).to_bytes(8) + written)
        answers.flush()


def main() -> None:
    """Serve on standard input and output, with at most one gibibyte of memory."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    logging.disable()
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
