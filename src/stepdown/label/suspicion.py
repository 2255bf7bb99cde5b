"""Inputs that talk to the model: they are asked about a second time, in other words.

This is no filter. An input that looks like an attack keeps its label if a second question, which
seals it off, brings the same one; so a false alarm costs one question and no row.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable

from stepdown.core.anatomy import Anatomy

__all__ = ["suspicion_of"]

_LONGEST = 20_000
_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass|stop following|instead of)\b.{0,60}?"
    r"\b(?:instructions?|prompts?|above|previous|prior|earlier|rules?|everything|told|task)\b"
    r"|\b(?:new|updated|real|actual|hidden) (?:instructions?|task|prompt|rules?)\b"
    r"|\byou (?:are|must|should|will) (?:now|always|only)\b"
    r"|\b(?:ignorier|vergiss|ignora\b|olvida\b|ignore[zr]|oubliez|ignorar|esque[çc]a)"
    r"|игнорируй|забудь|忽略|无视|無視|忘记|무시|تجاهل|अनदेखा",
    re.IGNORECASE,
)
_ROLES = re.compile(
    r"(?:^|[\n\r\x0b\x0c\x85\u2028\u2029])\W{0,3}(?:system|assistant|developer|user|human|ai|answer|output|label)\s*[:>=]"
    r"|<\|[^|\n]{1,40}\|>|\[/?(?:INST|SYS|SYSTEM)\]|<</?SYS>>"
    r"|#{2,}\s*(?:instruction|system|response|answer)"
    r"|</?(?:system|assistant|user|input|data|text|document|ticket|instructions?|prompt|answer)\b"
    r"[^>\n]{0,40}>"
    r"|\b(?:BEGIN|END)[ _-]+(?:OF[ _-]+)?(?:INPUT|DATA|TEXT|PROMPT|USER|DOCUMENT)"
    r"|\b(?:BEGIN|END) [0-9a-f]{8,}",
    re.IGNORECASE,
)
_FENCES = re.compile(r"```|\"\"\"|'''|<<<|>>>|~~~|-{5,}|={5,}|#{5,}|\]\]>|-->")
_CLOSERS = re.compile(
    r"[\"']\s*[}\]]|[\"']\s*,\s*[\"'][\w /-]{1,40}[\"']\s*:|\{\s*[\"']\w{1,40}[\"']\s*:"
)
_ENCODED = re.compile(
    r"\b(?:decode|base64|rot13|in reverse|backwards)\b|\b[A-Za-z0-9+/]{12,}={1,2}(?!\w)",
    re.IGNORECASE,
)
_SIGNS = (
    ("orders", _ORDERS),
    ("a role", _ROLES),
    ("delimiters", _FENCES),
    ("JSON", _CLOSERS),
    ("something encoded", _ENCODED),
)
_NAMING = re.compile(
    r"\b(?:label|class|classif\w*|categor\w*|answer|output|respond|reply|return|say|choose|pick|tag"
    r"|mark|treat|route|print|write|select|assign|set|correct)\b",
    re.IGNORECASE,
)
_HIDDEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]")
_SPACED = re.compile(r"\b\w(?:[ .\-_]\w){3,}\b")
_ALIKE = str.maketrans("аеорсухіјѕԁһԛԝкмтвнοαερτυικνχ", "aeopcyxijsdhqwkmtbhoaeptuikvx")
"""Letters of other scripts that look Latin."""


def suspicion_of(anatomy: Anatomy) -> Callable[[str], str]:
    """Return what says why an input of the task is suspicious, "" where it is not.

    Suspicious is what gives orders, speaks in a role, closes what it did not open, hides letters or
    words, or names a label: by a name that is no ordinary word, or near a word such as "answer".
    """
    names = {
        _plain(value)
        for field in anatomy.fields
        if field.kind == "choice"
        for value in field.values
        if isinstance(value, str) and len(value) > 1
    }
    odd = _any_of(value for value in names if " " in value or not value.isalpha())
    words = _any_of(value for value in names if " " not in value and value.isalpha())

    def suspicion(text: str) -> str:
        half = _LONGEST // 2
        text = text if len(text) <= _LONGEST else f"{text[:half]}\n{text[-half:]}"
        if _HIDDEN.search(text):
            return "hidden letters"
        # Letters of other scripts become what they look like, as they do to whom they fool.
        plain = _plain(text)
        for why, pattern in _SIGNS:
            if pattern.search(text):
                return why
        spaced = _SPACED.sub(lambda run: re.sub(r"\W|_", "", run[0]), plain)
        if odd.search(plain) or (spaced != plain and words.search(spaced)):
            return "a label's name"
        folded = unicodedata.normalize("NFC", text).casefold()
        if words.search(plain) and (_NAMING.search(plain) or not words.search(_tidy(folded))):
            return "a label's name"
        return ""

    return suspicion


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    listed = sorted(map(re.escape, names), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(listed)})(?!\w)" if listed else r"(?!)")


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_ALIKE)
    apart = unicodedata.normalize("NFD", folded)
    return _tidy("".join(letter for letter in apart if not unicodedata.combining(letter)))


def _tidy(text: str) -> str:
    return " ".join(re.split(r"[\s_\-]+", text)).strip()
