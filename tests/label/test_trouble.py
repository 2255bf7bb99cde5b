"""Each way not to answer, and what follows from it."""

import pytest

from stepdown.errors import InputError, UpstreamError
from stepdown.label.trouble import trouble
from stepdown.wire.retry_after import PASSING, TIMED_OUT


@pytest.mark.parametrize(
    ("error", "why", "paid", "again"),
    [
        (UpstreamError("x", 429), "rate limited", False, True),
        (UpstreamError("x", 503, 2.0), "overloaded", False, True),
        (UpstreamError("x", 500), "overloaded", False, True),
        (UpstreamError("x", 504), "no answer in time", None, True),
        (UpstreamError("x", 400), "refused request", False, False),
        (UpstreamError("x", 302), "refused request", False, False),
        (UpstreamError("x"), "cut off", None, True),
        (UpstreamError("x", unsent=True), "not reached", False, True),
        (TimeoutError(), "no answer in time", None, True),
        (InputError("x"), "not an answer", True, True),
    ],
)
def test_what_it_is(error, why, paid, again):
    found = trouble(error)
    assert (found.why, found.paid, found.again, found.ends) == (why, paid, again, "")


@pytest.mark.parametrize("status", sorted(PASSING))
def test_only_what_timed_out_on_the_way_may_be_billed(status):
    found = trouble(UpstreamError("x", status))
    assert found.again
    assert found.paid is (None if status in TIMED_OUT else False)


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_what_ends_the_sitting(status):
    found = trouble(UpstreamError("secret sk-1234", status))
    assert f"status {status}" in found.ends
    assert "sk-1234" not in found.ends
    assert not found.again


def test_a_quota_that_is_used_up_is_no_passing_429():
    assert trouble(UpstreamError('{"code":"insufficient_quota"}', 429)).ends
    assert trouble(UpstreamError("slow down", 429, 3.0)).slower
    assert trouble(UpstreamError("x", 500)).slower
    assert not trouble(UpstreamError("x", 400)).slower
    assert trouble(UpstreamError("x", 500, 3.0)).slower


def test_a_model_that_is_not_there_is_no_refused_key():
    assert trouble(UpstreamError("x", 404)).why == "not found"
    assert trouble(UpstreamError("x", 401)).why == "refused key"
