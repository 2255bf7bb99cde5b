"""The form of something that has to be found in a line of JSON and taken out of it."""

import re
from collections.abc import Callable, Sequence

import msgspec

__all__ = [
    "EDGE",
    "ESCAPED",
    "PLACEHOLDER",
    "SPAN",
    "UPPER",
    "WORD",
    "Form",
    "form",
    "taken_out_of_spans",
]

PLACEHOLDER = "[redacted "
"""How what stands in place of something begins."""

WORD = rb"[A-Za-z0-9_-]"
ESCAPED = rb"|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})"
"""Behind an escape of JSON a word begins, though its last letter stands right before it."""
UPPER = rb"(?:(?<![A-Z0-9])" + ESCAPED + rb")"
EDGE = rb"(?:(?<![A-Za-z0-9_-])" + ESCAPED + rb")"


class Form(msgspec.Struct, frozen=True):
    """One form: `letters` occur in everything that it matches, and where `needs` is found nowhere,
    nor is the form; `within` takes it out of a match.

    What is `spanned` is made of capitals, digits and what stands between them alone (`SPAN`).
    """

    name: str
    letters: bytes
    form: re.Pattern[bytes]
    within: Callable[[re.Match[bytes]], bytes] | None = None
    spanned: bool = False
    needs: re.Pattern[bytes] | None = None

    def taken_out(self, line: bytes) -> bytes:
        """Return the line with what was found replaced by its name."""
        if self.needs is not None and self.needs.search(line) is None:
            return line
        return self.form.sub(self.within or b"[redacted %b]" % self.name.encode(), line)


SPAN = re.compile(rb"[A-Z0-9+(][A-Z0-9 ()./+-]{6,}")
_NO_DIGITS = bytes(set(range(256)) - set(b"0123456789"))
_DIGITS, _DOTS = 7, 3
"""All forms have so many digits, but for an address, which has so many dots."""
_BEFORE, _BEHIND = 6, 1
"""How many letters around it a form looks at."""


def taken_out_of_spans(line: bytes, forms: Sequence[Form]) -> bytes:
    """Return the line with what `spanned` forms find replaced by their names.

    Such text is rare, and each form would go through the whole line for itself.
    """
    kept: list[bytes] = []
    done = 0
    for span in SPAN.finditer(line):
        text, (start, end) = span[0], span.span()
        if len(text.translate(None, _NO_DIGITS)) < _DIGITS and text.count(b".") < _DOTS:
            continue
        begin = max(start - _BEFORE, 0)
        window = before = line[begin : end + _BEHIND]
        for one in forms:
            window = one.taken_out(window)
        if window != before:
            kept += [
                line[done:start],
                window[start - begin : len(window) - len(line[end : end + _BEHIND])],
            ]
            done = end
    return b"".join([*kept, line[done:]]) if kept else line


def form(name: str, letters: bytes, expression: bytes) -> Form:
    """Return the form that an expression is the whole of."""
    return Form(name, letters, re.compile(expression))
