"""Documents in a message: file parts of the providers' dialects → the text that stands in them.

The student sees what the teacher saw, so what can't be read whole is not read at all: the part
stays what it is, with the reason, and the contract sends the request to the teacher.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from stepdown.wire.pdf import Read, pdf_text

__all__ = ["KINDS", "MOST_ENCODED", "document_text"]

KINDS = frozenset(("file", "input_file", "document"))
"""OpenAI's chat completions, its responses, and Anthropic's messages call a document so."""

MOST_ENCODED = 48 << 20
_TEXTUAL = ("application/json", "application/xml", "application/x-ndjson", "application/yaml")
_SUFFIXES = {".pdf": "application/pdf", ".txt": "text/plain", ".md": "text/markdown"}


class _File(msgspec.Struct):
    """What one part says of its document: the bytes in base64 or as they are, and their type."""

    media_type: str = ""
    encoded: str = ""
    plain: str = ""
    elsewhere: str = ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _string(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _by_name(name: str) -> str:
    return next((kind for end, kind in _SUFFIXES.items() if name.lower().endswith(end)), "")


def _openai(fields: Mapping[str, Any]) -> _File:
    """Read `file` (nested) and `input_file` (flat) alike."""
    data, name = _string(fields, "file_data"), _string(fields, "filename")
    for key, what in (("file_id", "by its id"), ("file_url", "by its address")):
        if fields.get(key) and not data:
            return _File(elsewhere=what)
    head, comma, rest = data.partition(",")
    if data.startswith("data:") and comma and head.endswith(";base64"):
        media_type = head[5:].removesuffix(";base64").partition(";")[0]
        return _File(media_type.lower() or _by_name(name), rest)
    return _File(_by_name(name) or "application/pdf", data)


def _anthropic(source: Mapping[str, Any]) -> _File:
    kind, media_type = _string(source, "type"), _string(source, "media_type").lower()
    if kind == "text":
        return _File(media_type or "text/plain", plain=_string(source, "data"))
    if kind == "base64":
        return _File(media_type, _string(source, "data"))
    return _File(elsewhere=f"by {kind or 'nothing'}")


def _described(part: Mapping[str, Any]) -> _File:
    if part.get("type") == "document":
        return _anthropic(_mapping(part.get("source")))
    return _openai(_mapping(part.get("file")) or part)


def _plain(data: bytes) -> Read:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "", "it is not UTF-8"
    return (text, "") if text.strip() and "\0" not in text else ("", "it has no text")


def _reader(media_type: str) -> Callable[[bytes], Read] | None:
    if media_type == "application/pdf":
        return pdf_text
    return _plain if media_type.startswith("text/") or media_type in _TEXTUAL else None


def document_text(part: Mapping[str, Any]) -> Read:
    """Return (text, "") of a file part, or ("", why a student can't read it).

    PDF files and plain text are read, where the part itself holds them. This may wait for another
    process for up to ten seconds: it is not for an event loop.
    """
    file = _described(part)
    if file.elsewhere:
        return "", f"it is given {file.elsewhere}"
    if file.plain:
        return _plain(file.plain.encode("utf-8", "replace"))
    read = _reader(file.media_type)
    if read is None:
        return "", f"its type is {file.media_type[:60] or 'unknown'}"
    if len(file.encoded) > MOST_ENCODED:
        return "", f"it has more than {MOST_ENCODED >> 20} MiB"
    try:
        return read(base64.b64decode(file.encoded, validate=True))
    except (binascii.Error, ValueError):
        return "", "it is not base64"
