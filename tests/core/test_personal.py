"""Personal data is known by its form and its check digits; what only looks like it stays."""

import pytest

from stepdown.core.redaction import redactor
from stepdown.errors import ConfigError


def left(kind, text, regions=()):
    return redactor([kind], regions=regions).clean(b'{"t": "%b"}' % text.encode())[7:-2].decode()


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("ibans", "to DE89 3704 0044 0532 0130 00 NOW", "to [redacted iban] NOW"),
        ("ibans", "GB82WEST12345698765432.", "[redacted iban]."),
        ("ibans", "DE88 3704 0044 0532 0130 00", "DE88 3704 0044 0532 0130 00"),
        ("ips", "from 203.0.113.7:443", "from [redacted ip]:443"),
        ("ips", "2001:db8::1 and ::1", "[redacted ip] and ::1"),
        ("ips", "127.0.0.1 at 12:30:59, std::map", "127.0.0.1 at 12:30:59, std::map"),
        ("ips", "v1.2.3 of 300.1.1.1", "v1.2.3 of 300.1.1.1"),
        ("emails", "j\u00fcrg@m\u00fcller.example, ok", "[redacted email], ok"),
        ("cards", "4111-1111-1111-1111", "[redacted card]"),
        ("cards", "1764000000004", "1764000000004"),
    ],
)
def test_p1_what_has_a_form(kind, text, told):
    assert left(kind, text) == told


@pytest.mark.parametrize(
    ("text", "regions", "told"),
    [
        ("call +49 151 23456789 now", (), "call [redacted phone] now"),
        ("0049 151 23456789", (), "[redacted phone]"),
        ("+1 (415) 555-0134", (), "[redacted phone]"),
        ("020 7946 0958", (), "020 7946 0958"),
        ("020 7946 0958", ("US", "GB"), "[redacted phone]"),
        (
            "2026-11-24 12:00:00 or 24/11/2026",
            ("US", "GB", "DE"),
            "2026-11-24 12:00:00 or 24/11/2026",
        ),
    ],
)
def test_p1_phones(text, regions, told):
    pytest.importorskip("phonenumbers", reason="the extra privacy is not installed")
    assert left("phones", text, regions) == told


@pytest.mark.parametrize(
    ("text", "region", "told"),
    [
        ("ssn 536-90-4399", "US", "ssn [redacted id]"),
        ("536-90-4399", "DE", "536-90-4399"),
        ("36 574 261 809", "DE", "[redacted id]"),
        ("36 574 261 890", "DE", "36 574 261 890"),
        ("RSSMRA85T10A562S", "IT", "[redacted id]"),
    ],
)
def test_p1_ids(text, region, told):
    pytest.importorskip("stdnum", reason="the extra privacy is not installed")
    assert left("ids", text, [region]) == told


def test_ids_take_a_country_that_is_known():
    pytest.importorskip("stdnum", reason="the extra privacy is not installed")
    with pytest.raises(ConfigError, match="regions"):
        redactor(["ids"])
    with pytest.raises(ConfigError, match="none are known"):
        redactor(["ids"], regions=["AQ"])


def test_phones_take_codes_of_countries():
    pytest.importorskip("phonenumbers", reason="the extra privacy is not installed")
    with pytest.raises(ConfigError, match="country's code"):
        redactor(["phones"], regions=["Germany"])
