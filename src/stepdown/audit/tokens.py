"""Prompt text as tokens, and what a token may be: an instruction's word, a name, a date, an id.

The tokens of a text, joined, are the text again: a blank goes with the word that it precedes, line
breaks stand alone.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from functools import lru_cache

from stepdown.core.templates import DATE_WORDS

__all__ = [
    "common_words",
    "cuts",
    "date_spans",
    "is_name",
    "mask",
    "moving_spans",
    "skeleton",
    "tokens",
]

_DATE_WORDS = frozenset(DATE_WORDS)
_MONTHS = "|".join(DATE_WORDS[:23])

# Capitalised words that name a language or a format: changing one changes the instruction.
_SETTING_NAMES = (
    "english french german spanish italian portuguese dutch polish russian ukrainian turkish "
    "arabic hebrew hindi bengali chinese mandarin japanese korean vietnamese thai indonesian "
    "malay swedish danish norwegian finnish greek czech romanian hungarian json yaml xml csv html "
    "markdown sql python javascript typescript java latex toml plain yes no true false none null"
)
_SETTINGS = frozenset(_SETTING_NAMES.split())
_LINKING_WORDS = "of and the de la van von der den di da du al bin el & le"
_LINKING = frozenset(_LINKING_WORDS.split())

_TOKEN = re.compile(
    r" ?https?://[^\s<>\"')\]]+[\w/]"  # an address
    r"| ?[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # an e-mail address
    r"| ?[0-9a-fA-F]{8}-[0-9a-fA-F-]*[0-9a-fA-F]"  # a UUID
    r"| ?\w*\d[\w.,:/+-]*\w| ?\d"  # a date, time, number or id
    r"| ?[^\W\d]+| ?[^\w\s]|\n+|\s"
)
_DATE = re.compile(rf"\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}}|\d:\d\d|(?:{_MONTHS}|day)\b")
_WORDS = re.compile(r"[^\W\d_]{2,}")
_MOVING = re.compile(
    r"https?://\S+\d\S*[\w/]"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F-]*[0-9a-fA-F]"
    rf"|\b(?:{_MONTHS})\.? \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)?\.? (?:{_MONTHS})\b(?:,? \d{{4}})?"
    r"|\b\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"
    r"(?:[T ]?\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\b\d{1,2}:\d\d(?::\d\d)?\b"
    r"|\b(?:19|20)\d\d\b"
    r"|[$€£] ?\d[\d,.]*\d|\b\d[\d,]*\.\d\d\b"
    r"|\b\d{5,}\b"
    r"|\b[A-Za-z_]+[-_#]?\d{3,}[\w-]*"
    r"|\b(?=[\w]*\d)(?=[\w]*[a-zA-Z])\w{10,}\b"
    r"|\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b"
)


def tokens(text: str) -> list[str]:
    """Cut `text` into tokens; joined they are `text`."""
    return _TOKEN.findall(text)


@lru_cache(maxsize=1 << 16)
def mask(token: str) -> str:
    """Return what a token counts as in mining: all numbers, ids, dates and addresses are alike."""
    if token.isalpha() and token not in _DATE_WORDS:
        return token
    word = token.strip()
    if any(map(str.isdigit, word)) or word in _DATE_WORDS or "@" in word[1:] or "://" in word:
        return "0"
    return token


def moving_spans(text: str) -> list[tuple[int, int]]:
    """Return where dates, times, amounts, ids and addresses stand: text that will not stay."""
    return [match.span() for match in _MOVING.finditer(text)]


def date_spans(text: str) -> list[tuple[int, int]]:
    """Return where dates and times stand, but no lone years, amounts and ids."""
    return [(a, b) for a, b in moving_spans(text) if _DATE.search(text, a, b)]


def cuts(text: str) -> list[int]:
    """Return the places where a text may be cut without cutting a word, a date, an amount or an id.

    A blank goes with the word behind it.
    """
    places = [0]
    at = 0
    for start, end in (*moving_spans(text), (len(text), len(text))):
        for token in tokens(text[at:start]):
            at += len(token)
            places.append(at)
        at = end
        places.append(end)
    return places


def common_words(texts: Iterable[str]) -> frozenset[str]:
    """Return the words that stand in lower case often: their capitalised forms are no names."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_WORDS.findall(text))
    return frozenset(
        word
        for word, count in counts.items()
        if word.islower() and 4 * count >= counts[word.title()]
    )


def is_name(word: str, common: Collection[str]) -> bool:
    """Say whether a word looks like part of a proper name: capitalised, and never seen small."""
    word = word.strip()
    if word.islower() or not word[:1].isalpha():
        return False
    lower = word.lower()
    return lower not in _SETTINGS and lower not in common


def skeleton(text: str, common: Collection[str], anywhere: bool) -> str:
    """Return `text` with its names, dates, numbers and ids put as "*", runs of them as one.

    Two values of one slot with one skeleton say the same thing to different people on different
    days. A word that is also known in lower case still counts as a name inside the text, where only
    names are capitalised, and with `anywhere` at its beginning too.
    """
    out: list[str] = []
    sentence = not anywhere
    for token in tokens(_MOVING.sub("0", text)):
        word = token.strip()
        named = is_name(word, () if not sentence else common)
        if named or mask(word) == "0":
            word = "*"
        elif out[-1:] == ["*"] and (word in _LINKING or word in ",.-'’"):
            continue
        if word and (word != "*" or out[-1:] != ["*"]):
            out.append(word)
        sentence = not anywhere and (word in ".!?:-" or token.isspace())
    return " ".join(out)
