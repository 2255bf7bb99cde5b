"""The form of something that has to be found in a line of JSON and taken out of it."""

import re
from collections.abc import Callable

import msgspec

__all__ = ["EDGE", "ESCAPED", "PLACEHOLDER", "UPPER", "WORD", "Form", "form"]

PLACEHOLDER = "[redacted "
"""How what stands in place of something begins."""

WORD = rb"[A-Za-z0-9_-]"
ESCAPED = rb"|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})"
"""Behind an escape of JSON a word begins, though its last letter stands right before it."""
UPPER = rb"(?:(?<![A-Z0-9])" + ESCAPED + rb")"
EDGE = rb"(?:(?<![A-Za-z0-9_-])" + ESCAPED + rb")"


class Form(msgspec.Struct, frozen=True):
    """One form: `letters` occur in everything that it matches; `within` takes it out of a match."""

    name: str
    letters: bytes
    form: re.Pattern[bytes]
    within: Callable[[re.Match[bytes]], bytes] | None = None

    def taken_out(self, line: bytes) -> bytes:
        """Return the line with what was found replaced by its name."""
        return self.form.sub(self.within or b"[redacted %b]" % self.name.encode(), line)


def form(name: str, letters: bytes, expression: bytes) -> Form:
    """Return the form that an expression is the whole of."""
    return Form(name, letters, re.compile(expression))
