"""A form is replaced by its name, or by what its own function leaves."""

import re

from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.forms import Form, form, taken_out_of_spans
from stepdown.core.personal import PERSONAL


def test_what_is_found_is_replaced_by_its_name():
    assert form("key", b"k-", rb"k-\d+").taken_out(b"a k-12 b") == b"a [redacted key] b"


def test_a_function_may_leave_some_of_it():
    kept = Form("n", b"", re.compile(rb"\d+"), lambda found: b"<%b>" % found[0][:1])
    assert kept.taken_out(b"12 345") == b"<1> <3>"


_PARTS = ("4111 1111 1111 1111", "DE89370400440532013000", "203.0.113.7", "12", "2026-11-29", " ")
_OTHERS = (
    "\\n",
    "\\u00fc",
    "\\",
    '"',
    "a",
    "Z",
    ".",
    "-",
    "(",
    "+",
    "/",
    "1",
    "99",
    "x1",
    "é",
    ": ",
)


@given(st.lists(st.sampled_from(_PARTS + _OTHERS), max_size=12))
def test_spans_hide_nothing_from_a_form(parts):
    line = "".join(parts).encode()
    forms = [one for kind in ("ibans", "cards", "ips") for one in PERSONAL[kind](()) if one.spanned]
    whole = line
    for one in forms:
        whole = one.taken_out(whole)
    assert taken_out_of_spans(line, forms) == whole
