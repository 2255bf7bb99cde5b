"""A form is replaced by its name, or by what its own function leaves."""

import re

from stepdown.core.forms import Form, form


def test_what_is_found_is_replaced_by_its_name():
    assert form("key", b"k-", rb"k-\d+").taken_out(b"a k-12 b") == b"a [redacted key] b"


def test_a_function_may_leave_some_of_it():
    kept = Form("n", b"", re.compile(rb"\d+"), lambda found: b"<%b>" % found[0][:1])
    assert kept.taken_out(b"12 345") == b"<1> <3>"
