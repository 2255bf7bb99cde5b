"""Whose a call is: the users that its JSON names, in whatever tool's words, and their marks.

A mark stands for a user where the name itself must not be kept. It is a plain hash: it hides a name
from who reads it, not from who tries all names that there are.
"""

import hashlib
import re
from collections.abc import Callable, Iterator

__all__ = ["hashed", "mark_of", "marks_in", "with_marks"]

_KEYS = (
    rb"user|group|user_?id|userI[dD]|end_?user(?:_?id)?|endUser(?:Id)?|safety_identifier"
    rb"|customer_id|customerId|(?:user|enduser|langfuse\.user|ai\.user)\.id|[Hh]elicone-[Uu]ser-[Ii]d"
)
_VALUE = rb"\s*:\s*(?:(?P=q)(?P<text>(?:(?!(?P=q)).){1,512}?)(?P=q)|(?P<number>\d{1,40}))"
_PAIR = rb"\"(?:" + _KEYS + rb")(?P<q>\\*\")" + _VALUE
_ATTRIBUTE = (
    rb"\"key\"\s*:\s*\"(?:" + _KEYS + rb")\"\s*,\s*\"value\"\s*:\s*\{\s*"
    rb"\"(?:stringValue|intValue)\"\s*:\s*\"(?P<value>[^\"\\]{1,512})\""
)
_NAMED = re.compile(_PAIR + rb"|" + _ATTRIBUTE, re.DOTALL)
_SPELT = re.compile(rb"\\+u([0-9A-Fa-f]{4})")
_MARK = re.compile(rb"user-[0-9a-f]{16}")


def mark_of(user: str) -> str:
    """Return the mark of a user; a mark's own is itself."""
    return user if _MARK.fullmatch(user.encode("utf-8", "replace")) else hashed("user", user)


def hashed(kind: str, name: str) -> str:
    """Return the mark of somebody or something of a kind: a user, a key, a team."""
    text = f"stepdown {kind}\0{name}".encode("utf-8", "replace")
    return f"{kind}-{hashlib.sha256(text).hexdigest()[:16]}"


def marks_in(line: bytes) -> Iterator[str]:
    """Yield the marks of the users that a line of JSON names, at any depth, also in JSON in it."""
    for found in _NAMED.finditer(line):
        text = found["text"] or found["number"] or found["value"]
        yield mark_of(_read(text))


def with_marks(line: bytes, chosen: Callable[[bytes], bool]) -> bytes:
    """Return the line with the marks of those users whose names are `chosen`, in their place."""

    def marked(found: re.Match[bytes]) -> bytes:
        name = "text" if found["text"] is not None else "value"
        text = found[name]
        if text is None or not chosen(text):
            return found[0]
        start, end = (at - found.start() for at in found.span(name))
        return found[0][:start] + mark_of(_read(text)).encode() + found[0][end:]

    return _NAMED.sub(marked, line)


def _read(text: bytes) -> str:
    """Return a JSON string's letters, its escapes undone as far as names have any."""
    plain = _SPELT.sub(lambda one: chr(int(one[1], 16)).encode("utf-8", "replace"), text)
    return plain.replace(b"\\/", b"/").decode("utf-8", "replace")
