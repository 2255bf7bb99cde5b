"""What an API says about when to try again, in every form, and in none."""

from email.utils import formatdate
from time import time

import pytest

from stepdown.wire.retry_after import told_s


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Thu, 99 Foo 2026"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_seconds(headers, seconds):
    assert told_s(headers) == seconds


def test_a_date_is_seconds_from_now():
    found = told_s({"retry-after": formatdate(time() + 60, usegmt=True)})
    assert found is not None
    assert 55 < found <= 60
