"""The redactor: what no store may hold is taken out of a captured line before it is kept.

Credentials are known by the forms that their makers gave them. All forms have letters of their own,
and a line is first searched for any of these at once, so that most lines cost some microseconds.
What is known by no form (a password in a sentence, a person's name) stays: recall is not complete.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from stepdown.serve.hints import Hints, hints_of

__all__ = ["KINDS", "Redactor", "redactor"]

_WORD = rb"[A-Za-z0-9_-]"
_ESCAPED = rb"|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})"
"""Behind an escape of JSON a word begins, though its last letter stands right before it."""
_UPPER = rb"(?:(?<![A-Z0-9])" + _ESCAPED + rb")"
_EDGE = rb"(?:(?<![A-Za-z0-9_-])" + _ESCAPED + rb")"


class _Pattern(msgspec.Struct, frozen=True):
    """One form: `letters` occur in everything that it matches; `within` takes it out of a match."""

    name: str
    letters: bytes
    form: re.Pattern[bytes]
    within: Callable[[re.Match[bytes]], bytes] | None = None


def _behind_its_prefix(token: re.Match[bytes]) -> bytes:
    return token[1] + b"[redacted token]"


def _pattern(name: str, letters: bytes, form: bytes) -> _Pattern:
    return _Pattern(name, letters, re.compile(form))


_JWT = re.compile(
    # A word is gone through once, from its edge: trying at each "eyJ" in it would be quadratic.
    rb"(?<![A-Za-z0-9_-])(?>(W*?)eyJ)W{8,}+\.eyJW{8,}+\.W*".replace(b"W", _WORD)
)
_KEYS = (
    _pattern("key", b"sk-", _EDGE + rb"sk-" + _WORD + rb"{16,}"),
    _pattern("key", b"sd-", _EDGE + rb"sd-[0-9a-f]{12}[-_]" + _WORD + rb"{16,}"),
    _pattern("key", b"AKIA", _UPPER + rb"AKIA[A-Z0-9]{16}(?![A-Z0-9])"),
    _pattern("key", b"ASIA", _UPPER + rb"ASIA[A-Z0-9]{16}(?![A-Z0-9])"),
    *(
        _pattern("token", name, _EDGE + name + rb"[A-Za-z0-9]{30,}")
        for name in (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_")
    ),
    _pattern("token", b"github_pat_", rb"github_pat_[A-Za-z0-9_]{22,}"),
    _pattern("token", b"glpat-", rb"glpat-" + _WORD + rb"{20,}"),
    _pattern("token", b"xox", _EDGE + rb"xox[abeoprs]-" + _WORD + rb"{10,}"),
    _pattern("key", b"_live_", _EDGE + rb"[srp]k_live_[A-Za-z0-9]{16,}"),
    _pattern("key", b"_test_", _EDGE + rb"[srp]k_test_[A-Za-z0-9]{16,}"),
    _pattern("key", b"AIza", rb"AIza" + _WORD + rb"{35}"),
    _pattern("token", b"ya29.", rb"ya29\.[A-Za-z0-9_.-]{20,}"),
    _pattern("token", b"hf_", _EDGE + rb"hf_[A-Za-z0-9]{30,}"),
    _pattern("token", b"npm_", _EDGE + rb"npm_[A-Za-z0-9]{36}"),
    _pattern("token", b"pypi-", rb"pypi-" + _WORD + rb"{50,}"),
    _pattern("key", b"SG.", _EDGE + rb"SG\." + _WORD + rb"{16,}\." + _WORD + rb"{16,}"),
    _Pattern("token", b"eyJ", _JWT, _behind_its_prefix),
    _pattern(
        "private key",
        b"PRIVATE KEY-----",
        rb"-----BEGIN [A-Z ]*PRIVATE KEY-----[A-Za-z0-9+/=\\\s?:,.-]*?"
        rb"(?:-----END [A-Z ]*PRIVATE KEY-----|(?=[^A-Za-z0-9+/=\\\s?:,.-]|\Z))",
    ),
    _pattern("password", b"://", rb"(?<=://)[^/\s:@\"\\]{1,100}:[^/\s@\"\\]{1,200}(?=@)"),
    _pattern("token", b"earer ", rb"(?<=[Bb]earer )[A-Za-z0-9_.~+/=-]{16,}"),
    *(
        _pattern(
            "secret",
            name,
            rb"(?<=" + name + rb")(?:[\"'\\]{0,4}\s?[:=]\s?[\"'\\]{0,4})[^\s\"'\\,;&]{8,200}",
        )
        for name in (b"password", b"passwd", b"api_key", b"apikey", b"api-key", b"secret")
    ),
)


def _is_card(digits: bytes) -> bool:
    """Say whether digits are a card's number by their check digit (Luhn)."""
    found = [byte - 48 for byte in digits if 48 <= byte <= 57]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in found[-2::-2]]
    return 13 <= len(found) <= 19 and (sum(found[-1::-2]) + sum(doubled)) % 10 == 0


_EMAILS = (
    _pattern(
        "email",
        b"@",
        rb"(?:(?<![A-Za-z0-9._%+\\-])|(?<=[^\\]\\\\)"
        + _ESCAPED
        + rb")[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}",
    ),
)
_DIGITS = re.compile(rb"\d+")


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


_RUN_OF_DIGITS = re.compile(rb"(?<!\d)\d(?:[ -]?\d){12,60}(?!\d)")
_CARDS = (_Pattern("card", b"", _RUN_OF_DIGITS, _without_cards),)

KINDS: Mapping[str, Sequence[_Pattern]] = {
    "credentials": _KEYS,
    "emails": _EMAILS,
    "cards": _CARDS,
}
"""What can be taken out, by the name that the configuration knows it by."""

_HEADS = b"sk- sk_ pk_ rk_ ghp gho ghu ghs ghr git glp xox AKI ASI AIz ya2 hf_ npm pyp SG."
_ENCODED = tuple(base64.b64encode(head)[:4] for head in _HEADS.split())
"""How base64 of a whole key begins."""
_SPELT = re.compile(rb"(?<!\\)\\+(?:u00([2-7][0-9A-Fa-f])|/)")
"""Letters of ASCII that JSON, or JSON in JSON, may spell with a backslash and need not."""
_RUN = re.compile(rb"(?:(?<!\\)|(?<=\\[bfnrt])|(?<=[^\\]\\\\))[A-Za-z0-9+/_-]{24,}={0,2}")


class Redactor(msgspec.Struct, frozen=True):
    """Takes patterns and exact `secrets` (the gateway's own keys) out of lines of JSON.

    A line without any of the `hints` holds none of the patterns.
    """

    patterns: tuple[_Pattern, ...]
    hints: Hints
    secrets: tuple[bytes, ...] = ()

    def clean(self, line: bytes) -> bytes:
        """Return the line without what was found; it stays JSON if it was."""
        if b"\\" in line and (b"\\u00" in line or b"\\/" in line):
            line = _SPELT.sub(_plain, line)
        for secret in self.secrets:
            line = line.replace(secret, b"[redacted key]")
        if not self.hints.stand_in(line):
            return line
        for pattern in self.patterns:
            if pattern.letters in line:
                line = _without(line, pattern)
        if any(head in line for head in _ENCODED):
            line = _RUN.sub(self._decoded, line)
        return line

    def _decoded(self, run: re.Match[bytes]) -> bytes:
        text = run[0]
        try:
            plain = base64.urlsafe_b64decode(text.replace(b"+", b"-").replace(b"/", b"_") + b"==")
        except ValueError:
            return text
        for pattern in self.patterns:
            if pattern.letters in plain and pattern.form.search(plain):
                return b"[redacted %b]" % pattern.name.encode()
        return text


def redactor(kinds: Sequence[str], secrets: Sequence[str] = ()) -> Redactor:
    """Return what takes out those `KINDS`, and the secrets word for word.

    Raises:
        KeyError: there is no such kind.
    """
    patterns = tuple(pattern for kind in kinds for pattern in KINDS[kind])
    hints = hints_of([*(one.letters for one in patterns), *(_ENCODED if patterns else ())])
    return Redactor(patterns, hints, tuple(s.encode() for s in secrets if len(s) >= 8))


def _plain(spelt: re.Match[bytes]) -> bytes:
    if spelt[1] is None:
        return b"/"
    letter = bytes.fromhex(spelt[1].decode())
    return spelt[0] if letter in b'"\\\x7f' else letter


def _without(line: bytes, pattern: _Pattern) -> bytes:
    said = b"[redacted %b]" % pattern.name.encode()
    return pattern.form.sub(pattern.within or said, line)
