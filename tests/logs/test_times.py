"""Times in every spelling are the same second."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.logs.times import parse_time

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-01T12:00:00Z",
        "2026-11-01T12:00:00",
        "2026-11-01 12:00:00.000000",
        "2026-11-01T14:00:00+02:00",
        "2026-11-01 12:00:00 UTC",
        "2026-11-01 12:00:00.000 GMT",
        NOON,
        int(NOON),
        int(NOON * 1e3),
        int(NOON * 1e6),
        int(NOON * 1e9),
        str(int(NOON)),
    ],
)
def test_one_moment_in_many_spellings(value):
    assert parse_time(value) == NOON


@pytest.mark.parametrize(
    "value",
    [None, True, "", "soon", "-20", 0, -5, 10**400, "1e400", "nan", [], "0001-01-01T00:00+23:00"],
)
def test_what_is_no_time_is_unknown(value):
    assert parse_time(value) is None


@given(st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_iso_and_nanoseconds_agree_to_the_microsecond(moment):
    seconds = parse_time(moment.isoformat())
    assert seconds == moment.timestamp()
    assert parse_time(int(moment.timestamp() * 1e9)) == pytest.approx(seconds, abs=1e-5)


@given(st.text() | st.integers() | st.floats() | st.binary())
def test_anything_is_a_time_or_unknown(value):
    found = parse_time(value)
    assert found is None or isinstance(found, float)
