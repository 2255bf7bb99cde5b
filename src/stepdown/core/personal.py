"""The forms of personal data that has one: addresses, cards, accounts, phones, national ids.

What has check digits is only taken for one where they are right. Phones and national ids are known
by libraries of the extra `privacy`; the ways in which a country writes them take its code.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from stepdown.core.forms import ESCAPED, Form, form
from stepdown.errors import ConfigError, Unavailable

__all__ = ["COUNTRIES", "PERSONAL"]

Within = Callable[[re.Match[bytes]], bytes]

_START = rb"(?:(?<![A-Za-z0-9])" + ESCAPED + rb")"
_END = rb"(?![A-Za-z0-9])"
_DIGITS = re.compile(rb"\d+")


def _is_card(digits: bytes) -> bool:
    """Say whether digits are a card's number by their check digit (Luhn)."""
    # No issuer has others; times in milliseconds begin with 1.
    issued = digits[:1] in b"3456" or b"22" <= digits[:2] <= b"27"
    if not issued or len(digits) < 13:
        return False
    found = [byte - 48 for byte in digits if 48 <= byte <= 57]
    if not 13 <= len(found) <= 19:
        return False
    doubled = [digit * 2 - 9 * (digit > 4) for digit in found[-2::-2]]
    return (sum(found[-1::-2]) + sum(doubled)) % 10 == 0


def _without_cards(run: re.Match[bytes]) -> bytes:
    """Take cards out of a run of digits, spaces and dashes: whole groups alone make one."""
    text, kept, done = run[0], b"", 0
    groups = [group.span() for group in _DIGITS.finditer(text)]
    for first, (start, _) in enumerate(groups):
        ends = [end for _, end in groups[first : first + 8] if _is_card(text[start:end])]
        if start >= done and ends:
            kept += text[done:start] + b"[redacted card]"
            done = ends[-1]
    return kept + text[done:]


def _without_account(found: re.Match[bytes]) -> bytes:
    """Take an IBAN out of a run of letters and digits that may go on behind it."""
    text = found[0]
    for end in range(len(text), 14, -1):
        plain = text[:end].replace(b" ", b"")
        if len(plain) >= 15 and text[end - 1 : end] != b" " and _is_iban(plain):
            return b"[redacted iban]" + text[end:]
    return text


def _is_iban(plain: bytes) -> bool:
    digits = "".join(str(int(letter, 36)) for letter in (plain[4:] + plain[:4]).decode())
    return int(digits) % 97 == 1


def _without_address(found: re.Match[bytes]) -> bytes:
    """Take an IP address out, unless it is everybody's own."""
    try:
        address = ipaddress.ip_address(found[0].decode())
    except ValueError:
        return found[0]
    return found[0] if address.is_loopback or address.is_unspecified else b"[redacted ip]"


_LATIN = rb"[\xc3-\xc9][\x80-\xbf]|\\u0[012][0-9A-Fa-f]{2}"
"""Latin letters beyond ASCII, in UTF-8 or as JSON spells them."""
_EMAIL = form(
    "email",
    b"@",
    rb"(?:(?<![A-Za-z0-9._%+\\\x80-\xbf-])|(?<=[^\\]\\\\)"
    + ESCAPED
    + rb")(?:[A-Za-z0-9._%+-]|"
    + _LATIN
    + rb"){1,64}@(?:(?:[A-Za-z0-9-]|"
    + _LATIN
    + rb"){1,63}\.){1,8}[A-Za-z]{2,24}",
)
_CARD = Form("card", b"", re.compile(rb"(?<!\d)\d(?:[ -]?\d){12,60}(?!\d)"), _without_cards, True)
_IBAN = Form(
    "iban",
    b"",
    re.compile(_START + rb"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?" + _END),
    _without_account,
    True,
)
_IPS = (
    Form(
        "ip",
        b"",
        re.compile(rb"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)"),
        _without_address,
        True,
    ),
    Form(
        "ip",
        b"",
        re.compile(
            rb"(?:(?<![A-Za-z0-9:.])" + ESCAPED + rb")(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]*[0-9])"
            rb"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![A-Za-z0-9:])"
        ),
        _without_address,
        needs=re.compile(rb":[0-9A-Fa-f]{0,4}:"),
    ),
)

_ABROAD = re.compile(rb"(?:\+|(?<![\d.,])00)\(?\d[\d ()./-]{5,22}\d(?!\d)")
_AT_HOME = re.compile(
    rb"(?:(?<![A-Za-z0-9.,+/_-])" + ESCAPED + rb")"
    # No date, and no number in one that does not begin with 0.
    rb"(?!\d{4}-\d\d-\d\d|\d\d?[./-]\d\d?[./-]\d{4}|[1-9]\d+(?!\d| ?[ (./-]\d))"
    rb"\(?\d[\d ()./-]{5,20}\d" + _END
)


def _phones(regions: Sequence[str]) -> tuple[Form, ...]:
    library = _library("phonenumbers")
    for region in regions:
        if region not in library.SUPPORTED_REGIONS:
            raise ConfigError(
                f"[store] regions: {region!r} is no country's code; write them such as DE or US."
            )
    abroad = Form("phone", b"", _ABROAD, partial(_without_phones, library, (None,)), True)
    at_home = Form("phone", b"", _AT_HOME, partial(_without_phones, library, tuple(regions)), True)
    return (abroad, at_home) if regions else (abroad,)


def _without_phones(library: Any, regions: Sequence[str | None], found: re.Match[bytes]) -> bytes:
    text = found[0].decode()
    if text.startswith("00"):
        # As it is dialled from most countries; the library wants the sign.
        numbers = list(library.PhoneNumberMatcher(f"+{text[2:]}", None))
        return b"[redacted phone]" if numbers else found[0]
    for region in regions:
        for number in reversed(list(library.PhoneNumberMatcher(text, region))):
            text = f"{text[: number.start]}[redacted phone]{text[number.end :]}"
    return text.encode()


COUNTRIES: Mapping[str, tuple[tuple[str, bytes], ...]] = {
    "BE": (("be.nn", rb"\d{2}\.?\d{2}\.?\d{2}-?\d{3}\.?\d{2}"),),
    "BR": (("br.cpf", rb"\d{3}\.?\d{3}\.?\d{3}-?\d{2}"),),
    "CN": (("cn.ric", rb"\d{17}[\dX]"),),
    "DE": (("de.idnr", rb"\d{2} ?\d{3} ?\d{3} ?\d{3}"),),
    "DK": (("dk.cpr", rb"\d{6}-\d{4}"),),
    "ES": (("es.dni", rb"\d{8}[ -]?[A-Z]"), ("es.nie", rb"[XYZ][ -]?\d{7}[ -]?[A-Z]")),
    "FI": (("fi.hetu", rb"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]"),),
    "FR": (("fr.nir", rb"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}"),),
    "GB": (("gb.nhs", rb"\d{3}[ -]\d{3}[ -]\d{4}"),),
    "IN": (("in_.aadhaar", rb"\d{4}[ -]?\d{4}[ -]?\d{4}"),),
    "IT": (("it.codicefiscale", rb"[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]"),),
    "MX": (("mx.curp", rb"[A-Z]{4}\d{6}[A-Z]{6}[A-Z0-9]\d"),),
    "NL": (("nl.bsn", rb"\d{9}|\d{4}[ .]\d{2}[ .]\d{3}"),),
    "PL": (("pl.pesel", rb"\d{11}"),),
    "SE": (("se.personnummer", rb"(?:\d{2})?\d{6}[-+]\d{4}"),),
    "US": (("us.ssn", rb"\d{3}-\d{2}-\d{4}"), ("us.itin", rb"\d{3}-\d{2}-\d{4}")),
}
"""How the ids of people are written in each country, with the library's module that checks them."""


def _ids(regions: Sequence[str]) -> tuple[Form, ...]:
    if not regions:
        raise ConfigError(
            '[store] redact has "ids", whose forms are each country\'s own; name the countries as '
            'regions, such as regions = ["DE", "US"].'
        )
    _library("stdnum")
    if not COUNTRIES.keys() & set(regions):
        raise ConfigError(
            f'[store] redact has "ids", and of {", ".join(regions)} none are known; they are of '
            f"{', '.join(COUNTRIES)}."
        )
    return tuple(
        Form(
            "id", b"", re.compile(_START + rb"(?:" + how + rb")" + _END), _checked_by(module), True
        )
        for region in regions
        for module, how in COUNTRIES.get(region, ())
    )


def _checked_by(module: str) -> Within:
    known: Any = import_module(f"stdnum.{module}")

    def within(found: re.Match[bytes]) -> bytes:
        return b"[redacted id]" if known.is_valid(found[0].decode()) else found[0]

    return within


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise Unavailable(
            'The kinds "phones" and "ids" of [store] redact need an extra that is not installed; '
            "run `pip install 'stepdown[privacy]'`."
        ) from error


PERSONAL: Mapping[str, Callable[[Sequence[str]], Sequence[Form]]] = {
    "emails": lambda regions: (_EMAIL,),
    "ibans": lambda regions: (_IBAN,),
    "cards": lambda regions: (_CARD,),
    "ips": lambda regions: _IPS,
    "phones": _phones,
    "ids": _ids,
}
"""What makes the forms of each kind for some countries, in the order of the search."""
