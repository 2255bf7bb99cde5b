"""Helicone's requests."""

import pytest

from stepdown.core.ports import Line
from stepdown.logs import reasons
from stepdown.logs.helicone import FORMAT


def test_requests(exported):
    calls, entry = exported("helicone.jsonl")
    assert entry.format == "helicone"
    # Bodies that lie elsewhere are not fetched.
    assert entry.rejected == {reasons.ERROR_ANSWER: 1, reasons.NO_CONTENT: 1}
    assert {call.task for call in calls} == {"concerns"}
    assert [call.group for call in calls] == ["s0", "s1", "s0", "s1"]
    assert calls[0].cost_usd == pytest.approx(0.0000057)
    assert calls[2].cost_usd is None


def test_what_is_broken_is_told():
    assert list(FORMAT.read([Line(b"{", "x", 1)])) == [reasons.CUT_OFF]
