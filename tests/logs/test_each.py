"""The loop that formats share."""

import pytest

from stepdown.core.ports import Line
from stepdown.errors import InputError
from stepdown.logs import reasons
from stepdown.logs.each import each_call


@pytest.mark.parametrize("problem", [TypeError(), AttributeError(), KeyError(), OverflowError()])
def test_a_shape_that_nobody_foresaw_is_a_line_of_its_own_reason(problem):
    def read(line):
        if line.number == 1:
            raise problem
        return "read"

    lines = [Line(b"{}", "x", 1), Line(b"{}", "x", 2)]
    assert list(each_call(lines, read)) == [reasons.ODD_FIELDS, "read"]


@pytest.mark.parametrize("problem", [InputError("no"), ValueError("no"), RecursionError()])
def test_what_cannot_be_read_is_told_and_the_next_is_read(problem):
    def read(line):
        if line.data == b"good":
            return "read"
        raise problem

    lines = [Line(data, "x", 1) for data in (b"{", b"{}", b"good")]
    assert list(each_call(lines, read)) == [reasons.CUT_OFF, reasons.MALFORMED_REQUEST, "read"]
