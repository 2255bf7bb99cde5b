"""The redactor: what no store may hold is taken out of a line of JSON before it is kept.

Credentials are known by the forms that their makers gave them. All forms have letters of their own,
and a line is first searched for any of these at once, so that most lines cost some microseconds.
What is known by no form (a password in a sentence, a person's name) stays: recall is not complete.
The same text is cleaned alike wherever it comes from: a student is asked what it has learnt from.
"""

import base64
import re
from collections.abc import Sequence

import msgspec

from stepdown.core.calls import Answer
from stepdown.core.forms import EDGE, PLACEHOLDER, UPPER, WORD, Form, form, taken_out_of_spans
from stepdown.core.hints import Hints, hints_of
from stepdown.core.people import with_marks
from stepdown.core.personal import PERSONAL

__all__ = [
    "DEFAULT",
    "KINDS",
    "PLACEHOLDER",
    "Redaction",
    "Redactor",
    "forms_of",
    "holds_placeholder",
    "redacted_by",
    "redaction_note",
    "redactor",
]

KINDS = ("credentials", *PERSONAL)
"""What can be taken out, by the names that the configuration knows, in the order of the search."""


class Redaction(msgspec.Struct, frozen=True):
    """What is taken out of all that is stored: kinds, and the countries whose forms are known."""

    kinds: tuple[str, ...] = ("credentials",)
    regions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called in what was learnt under it: equal where the same is taken out."""
        countries = ",".join(sorted(set(self.regions))) if {"phones", "ids"} & {*self.kinds} else ""
        named = "+".join(kind for kind in KINDS if kind in self.kinds) or "nothing"
        return f"{named}:{countries}" if countries else named


DEFAULT = Redaction()
_NOTE = "Taken out before it was learnt from: "


def redaction_note(redaction: Redaction) -> tuple[str, ...]:
    """Return what a dataset says of what was taken out of it, where that is not the usual."""
    return () if redaction == DEFAULT else (f"{_NOTE}{redaction.name}.",)


def redacted_by(notes: Sequence[str]) -> str:
    """Return the name of what was taken out, from what a dataset says."""
    told = [note[len(_NOTE) : -1] for note in notes if note.startswith(_NOTE)]
    return told[0] if told else DEFAULT.name


def holds_placeholder(answer: Answer) -> bool:
    """Say whether an answer repeats what stands in place of something: no caller may get it."""
    texts = (answer.text or "", *(call.arguments for call in answer.tool_calls))
    return any(PLACEHOLDER in text for text in texts)


def _behind_its_prefix(token: re.Match[bytes]) -> bytes:
    return token[1] + b"[redacted token]"


def _basic(found: re.Match[bytes]) -> bytes:
    """`user:password` in base64, as HTTP's basic authentication has it; other words stay."""
    try:
        plain = base64.b64decode(found[0] + b"==")
    except ValueError:
        return found[0]
    return b"[redacted password]" if b":" in plain else found[0]


def _assigned(name: bytes, value: bytes, letters: bytes = b"") -> Form:
    """What is assigned to a name, in a shell, in code, in JSON or in JSON in JSON."""
    # A backslash alone belongs to what follows it, and what was taken out once is let be.
    quote = rb"((?:\\{0,15}[\"']|\\{1,15}u(?:0022|201[89cd]))?)"
    blank = rb"(?:\s|\\{1,15}[nrt]){0,3}"
    sign = quote + blank + rb"[:=]" + blank + quote + rb"(?!\[redacted )"
    expression = re.compile(rb"(?<=" + name + rb")" + sign + rb"(" + value + rb")")
    return Form("secret", letters or name, expression, _kept)


def _kept(found: re.Match[bytes]) -> bytes:
    sign = found[0][: found.start(3) - found.start()]
    if not found[1] or found[2]:
        return sign + b"[redacted secret]"
    # Behind a name in quotes it is a number of JSON's, which no words can stand for without.
    value = found[3]
    first = value[: len(value) - len(value.lstrip(b"["))]
    rest = value[len(value.rstrip(b"}])")) :]
    return sign + first + found[1] + b"[redacted secret]" + found[1] + rest


_NAMES = (
    # Without their first letter, that may be a capital.
    b"assword asswd assphrase ecret pi_key pi-key pi-Key pikey piKey ccess_key ccessKey "
    b"ASSWORD PASSWD PASSPHRASE SECRET API_KEY API-KEY APIKEY ACCESS_KEY"
).split()
_TOKENS = b"ss_token sh_token th_token pi_token id_token ssToken shToken thToken TOKEN".split()
_JWT = re.compile(
    # A word is gone through once, from its edge: trying at each "eyJ" in it would be quadratic.
    rb"(?<![A-Za-z0-9_-])(?>(W*?)eyJ)W{8,}+\.eyJW{8,}+\.W*".replace(b"W", WORD)
)
_KEYS = (
    form("key", b"sk-", EDGE + rb"sk-" + WORD + rb"{16,}"),
    form("key", b"sd-", EDGE + rb"sd-[0-9a-f]{12}[-_]" + WORD + rb"{16,}"),
    form("key", b"AKIA", UPPER + rb"AKIA[A-Z0-9]{16}(?![A-Z0-9])"),
    form("key", b"ASIA", UPPER + rb"ASIA[A-Z0-9]{16}(?![A-Z0-9])"),
    *(
        form("token", name, EDGE + name + rb"[A-Za-z0-9]{30,}")
        for name in (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_")
    ),
    form("token", b"github_pat_", rb"github_pat_[A-Za-z0-9_]{22,}"),
    form("token", b"glpat-", rb"glpat-" + WORD + rb"{20,}"),
    form("token", b"xox", EDGE + rb"xox[abeoprs]-" + WORD + rb"{10,}"),
    form("key", b"_live_", EDGE + rb"[srp]k_live_[A-Za-z0-9]{16,}"),
    form("key", b"_test_", EDGE + rb"[srp]k_test_[A-Za-z0-9]{16,}"),
    form("key", b"AIza", rb"AIza" + WORD + rb"{35}"),
    form("token", b"ya29.", rb"ya29\.[A-Za-z0-9_.-]{20,}"),
    form("token", b"hf_", EDGE + rb"hf_[A-Za-z0-9]{30,}"),
    *(
        form("key", name, EDGE + name + WORD + rb"{20,}")
        for name in (b"gsk_", b"xai-", b"nvapi-", b"pplx-", b"shpat_", b"dop_v1_", b"lin_api_")
    ),
    form("token", b"slack.com/services/", rb"(?<=slack\.com/services/)[A-Za-z0-9/]{20,}"),
    form("token", b"npm_", EDGE + rb"npm_[A-Za-z0-9]{36}"),
    form("token", b"pypi-", rb"pypi-" + WORD + rb"{50,}"),
    form("key", b"SG.", EDGE + rb"SG\." + WORD + rb"{16,}\." + WORD + rb"{16,}"),
    Form("token", b"eyJ", _JWT, _behind_its_prefix),
    form(
        "private key",
        b"PRIVATE KEY-----",
        rb"-----BEGIN [A-Z ]*PRIVATE KEY-----[A-Za-z0-9+/=\\\s?:,.-]*?"
        rb"(?:-----END [A-Z ]*PRIVATE KEY-----|(?=[^A-Za-z0-9+/=\\\s?:,.-]|\Z))",
    ),
    form("password", b"://", rb"(?<=://)[^/\s:@\"\\]{1,100}:[^/\s\"\\]{1,200}(?=@)"),
    form("token", b"earer ", rb"(?<=[Bb]earer )[A-Za-z0-9_.~+/=-]{16,}"),
    form("token", b"BEARER ", rb"(?<=BEARER )[A-Za-z0-9_.~+/=-]{16,}"),
    Form("password", b"asic ", re.compile(rb"(?<=asic )[A-Za-z0-9+/]{8,400}={0,2}"), _basic),
    *(_assigned(name, rb"[^\s\"'\\,;&]{8,200}") for name in _NAMES),
    *(_assigned(name, rb"(?!/)[^\s\"'\\,;&]{8,200}") for name in (b"pwd", b"Pwd")),
    *(
        # Every line of a log counts tokens: names of one are looked for by how they begin.
        _assigned(name, rb"(?=[A-Za-z_.~+/=-]{0,99}\d)[A-Za-z0-9_.~+/=-]{16,400}", name[:4])
        for name in _TOKENS
    ),
)


_HEADS = b"sk- sk_ pk_ rk_ ghp gho ghu ghs ghr git glp xox AKI ASI AIz ya2 hf_ npm pyp SG."
_ENCODED = tuple(base64.b64encode(head)[:4] for head in _HEADS.split())
"""How base64 of a whole key begins."""
_SPELT = re.compile(rb"(?<!\\)\\+(?:u00([2-7][0-9A-Fa-f])|/)")
"""Letters of ASCII that JSON, or JSON in JSON, may spell with a backslash and need not."""
_RUN = re.compile(rb"(?:(?<!\\)|(?<=\\[bfnrt])|(?<=[^\\]\\\\))[A-Za-z0-9+/_-]{24,}={0,2}")


_BARE = re.compile(rb"(?<=[:,\[])( ?)(\d{7,19})(?= ?[,}\]])")
"""What may be a number of JSON's own, where no words can stand."""


class Redactor(msgspec.Struct, frozen=True):
    """Takes patterns and exact `secrets` (the gateway's own keys) out of lines of JSON.

    A line without any of the `hints` holds none of the patterns. Where `personal` data is taken
    out, a user who would be goes by a mark of their own, so that one is still told from another.
    """

    patterns: tuple[Form, ...]
    hints: Hints
    secrets: tuple[bytes, ...] = ()
    personal: bool = False

    def clean(self, line: bytes) -> bytes:
        """Return the line without what was found; it stays JSON if it was."""
        if b"\\" in line and (b"\\u00" in line or b"\\/" in line):
            line = _SPELT.sub(_plain, line)
        for secret in self.secrets:
            line = line.replace(secret, b"[redacted key]")
        if not self.hints.stand_in(line):
            return line
        if not self.personal:
            return self._searched(line)
        line = with_marks(line, self._is_found)
        found = self._searched(line)
        if found == line or _is_json(found):
            return found
        return self._searched(_BARE.sub(self._zeroed, line))

    def _searched(self, line: bytes) -> bytes:
        for pattern in self.patterns:
            if not pattern.spanned and pattern.letters in line:
                line = pattern.taken_out(line)
        if self.personal:
            line = taken_out_of_spans(line, [one for one in self.patterns if one.spanned])
        if any(head in line for head in _ENCODED):
            line = _RUN.sub(self._decoded, line)
        return line

    def _is_found(self, text: bytes) -> bool:
        return any(one.letters in text and one.taken_out(text) != text for one in self.patterns)

    def _zeroed(self, number: re.Match[bytes]) -> bytes:
        return number[1] + b"0" if self._is_found(number[2]) else number[0]

    def _decoded(self, run: re.Match[bytes]) -> bytes:
        text = run[0]
        try:
            plain = base64.urlsafe_b64decode(text.replace(b"+", b"-").replace(b"/", b"_") + b"==")
        except ValueError:
            return text
        for pattern in self.patterns:
            if pattern.letters and pattern.letters in plain and pattern.form.search(plain):
                return b"[redacted %b]" % pattern.name.encode()
        return text


def forms_of(kind: str, regions: Sequence[str] = ()) -> Sequence[Form]:
    """Return the forms of one of the `KINDS`.

    Raises:
        KeyError: there is no such kind.
        ConfigError, Unavailable: its countries are not known, or an extra is not installed.
    """
    return _KEYS if kind == "credentials" else PERSONAL[kind](regions)


def redactor(
    kinds: Sequence[str], secrets: Sequence[str] = (), regions: Sequence[str] = ()
) -> Redactor:
    """Return what takes out those `KINDS`, and the secrets word for word.

    Raises:
        KeyError, ConfigError, Unavailable: as `forms_of`.
    """
    ordered = sorted(set(kinds), key=KINDS.index)
    patterns = tuple(one for kind in ordered for one in forms_of(kind, regions))
    hints = hints_of([*(one.letters for one in patterns), *(_ENCODED if patterns else ())])
    known = tuple(s.encode() for s in secrets if len(s) >= 8)
    return Redactor(patterns, hints, known, personal=any(kind in PERSONAL for kind in kinds))


def _plain(spelt: re.Match[bytes]) -> bytes:
    if spelt[1] is None:
        return b"/"
    letter = bytes.fromhex(spelt[1].decode())
    return spelt[0] if letter in b'"\\\x7f' else letter


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
