"""What a span model sees of a text: tokens, and the features of each token as strings.

Every feature is linear in the tokens, so a contract costs what its length costs. Feature names
are short since each is built once a token; `Layout` says which groups a model uses.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec

from stepdown.core.dates import find_dates
from stepdown.students.windows.marks import regions

__all__ = ["ROLE", "Layout", "Lexicon", "Places", "features", "lexicon_of", "tokenise"]

Places = list[tuple[int, int]]
"""(start, end) of each token or span, in characters."""

Lexicon = dict[str, dict[str, int]]
"""Known values: tokens in lower case, joined by a space → field → in how many rows it stood."""

MAX_PHRASE = 8
_UNSPACED = "\u0e00-\u0eff\u2e80-\u9fff\uf900-\ufaff"
_WORD = rf"[{_UNSPACED}]|[^\W\d_{_UNSPACED}]+|[^\w\s]|_"
# Sums, dates and times are one token each, so that their shape and their value are one feature.
_COMPOUND = re.compile(rf"\d+(?:[.,:/\-]\d+)*|{_WORD}")
_FINE = re.compile(rf"\d+|{_WORD}")
ROLE = re.compile(r"^(system|user|assistant|tool): ", re.MULTILINE)
_EDGES = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100)


class Layout(msgspec.Struct, frozen=True):
    """How texts are cut and which features are made.

    `compound` keeps "25/12/2018" and "1,234.50" whole; `lines` adds what depends on line breaks
    (documents); `roles` adds who speaks (conversations); `windows` adds for which fields a window
    of a digest was chosen.
    """

    compound: bool = True
    lines: bool = False
    roles: bool = False
    windows: bool = False


def tokenise(text: str, compound: bool) -> Places:
    """Return (start, end) of the text's tokens: words, numbers, single punctuation marks."""
    return [found.span() for found in (_COMPOUND if compound else _FINE).finditer(text)]


_SHAPE = re.compile(r"\d")
Word = tuple[str, str, str, str, str]


@lru_cache(maxsize=65536)
def _word(token: str) -> Word:
    """Return (lower case, shape, suffixes of 3 and 2, prefix of 3)."""
    lower = token.lower()
    if token.isalpha():
        shape = "X" if token.isupper() else "Xx" if token[0].isupper() else "x"
        shape = "X1" if shape == "X" and len(token) == 1 else shape
    else:
        shape = _SHAPE.sub("d", token)
    return lower, shape, lower[-3:], lower[-2:], lower[:3]


_BEFORE: Word = ("<s>", "<s>", "", "", "")
_AFTER: Word = ("</s>", "</s>", "", "", "")


def _context(words: Sequence[Word]) -> list[list[str]]:
    """Return the features of a window of three tokens to each side."""
    padded = [_BEFORE, _BEFORE, _BEFORE, *words, _AFTER, _AFTER, _AFTER]
    rows: list[list[str]] = []
    for at in range(len(words)):
        (l3, *_), (l2, *_), (l1, shape_before, *_) = padded[at : at + 3]
        word, shape, suffix3, suffix2, prefix3 = padded[at + 3]
        (r1, shape_after, *_), (r2, *_), (r3, *_) = padded[at + 4 : at + 7]
        rows.append(
            [
                "b",
                f"0={word}",
                f"-1={l1}",
                f"+1={r1}",
                f"-2={l2}",
                f"+2={r2}",
                f"-3={l3}",
                f"+3={r3}",
                f"-10={l1} {word}",
                f"01={word} {r1}",
                f"-21={l2} {l1}",
                f"12={r1} {r2}",
                f"s={suffix3}",
                f"t={suffix2}",
                f"p={prefix3}",
                f"h={shape}",
                f"-h={shape_before}",
                f"+h={shape_after}",
            ]
        )
    return rows


def _known(words: Sequence[Word], lexicon: Lexicon, own: Lexicon, rows: list[list[str]]) -> None:
    """Add what known values say, longest match first; `own` is what this row itself contributed."""
    at = 0
    while at < len(words):
        length, fields = _longest(words, at, lexicon, own)
        if not fields:
            at += 1
            continue
        names = "/".join(sorted(fields)[:3])
        for step in range(length):
            place = "U" if length == 1 else "B" if not step else "E" if step == length - 1 else "I"
            rows[at + step].append(f"k={place}{names}")
            rows[at + step].extend(f"n={place}{field}" for field in fields)
        if at:
            rows[at - 1].append(f"+k={names}")
        at += length
        if at < len(words):
            rows[at].append(f"-k={names}")


def _longest(
    words: Sequence[Word], at: int, lexicon: Lexicon, own: Lexicon
) -> tuple[int, list[str]]:
    tokens = [word[0] for word in words[at : at + MAX_PHRASE]]
    for length in range(len(tokens), 0, -1):
        phrase = " ".join(tokens[:length])
        known = lexicon.get(phrase)
        if known:
            mine = own.get(phrase, {})
            fields = [field for field, rows in known.items() if rows > mine.get(field, 0)]
            if fields:
                return length, fields
    return 0, []


def lexicon_of(text: str, tokens: Places, spans: Sequence[tuple[int, int, str]]) -> Lexicon:
    """Return the lexicon that one row contributes; `spans` are (first, last + 1 token, field)."""
    lexicon: Lexicon = {}
    for first, stop, field in spans:
        if stop - first <= MAX_PHRASE:
            phrase = " ".join(text[a:b].lower() for a, b in tokens[first:stop])
            lexicon.setdefault(phrase, {})[field] = 1
    return lexicon


def _bucket(number: int) -> int:
    return bisect_right(_EDGES, number)


class _Line(msgspec.Struct):
    """One line: its tokens [first, stop) and what its neighbours need to know of it."""

    first: int
    stop: int
    words: list[str]
    key: str


def _lines(text: str, tokens: Places, words: Sequence[Word]) -> list[_Line]:
    lines: list[_Line] = []
    first = 0
    for at in range(1, len(tokens) + 1):
        if at == len(tokens) or "\n" in text[tokens[at - 1][1] : tokens[at][0]]:
            letters = [word[0] for word in words[first:at] if word[0][0].isalpha()]
            shapes = " ".join(word[1] for word in words[first : min(at, first + 6)])
            lines.append(_Line(first, at, letters, " ".join(letters[:6]) or shapes))
            first = at
    return lines


def _placed(text: str, tokens: Places, words: Sequence[Word], rows: list[list[str]]) -> None:
    """Add where in the document's lines a token stands, and what stands around that line."""
    lines = _lines(text, tokens, words)
    blank = _Line(0, 0, [], "")
    label = blank
    label_at = 0
    for number, line in enumerate(lines):
        above = lines[number - 1] if number else blank
        above2 = lines[number - 2] if number > 1 else blank
        below = lines[number + 1] if number + 1 < len(lines) else blank
        if number and above.words:
            label, label_at = above, number - 1
        shared = [
            f"top={min(number, 15)}" if number < 15 else f"top>{_bucket(number)}",
            f"end={_bucket(len(lines) - number)}",
            f"len={_bucket(line.stop - line.first)}",
            f"up={above.key}",
            f"up2={above2.key}",
            f"down={below.key}",
            f"lab={label.key}",
            f"labn={_bucket(number - label_at)} {label.key}",
            *[f"u:{word}" for word in above.words[:6]],
            *[f"d:{word}" for word in below.words[:3]],
        ]
        seen: list[str] = []
        for at in range(line.first, line.stop):
            row = rows[at]
            row.extend(shared)
            row.extend([f"l:{word}" for word in seen[-6:]])
            row.append(f"in={min(at - line.first, 5)}")
            row.append(f"out={min(line.stop - 1 - at, 5)}")
            word = words[at][0]
            if word[0].isalpha():
                seen.append(word)


_AMOUNT = re.compile(r"\d{1,3}(?:,\d{3})*\.\d\d|\d+[.,]\d\d")


def _ranked(words: Sequence[Word], rows: list[list[str]]) -> None:
    """Add how a sum compares with the document's others: its rank and how often it stands."""
    sums = {at: _cents(w[0]) for at, w in enumerate(words) if _AMOUNT.fullmatch(w[0])}
    counts = Counter(sums.values())
    ranks = {value: rank for rank, value in enumerate(sorted(counts, reverse=True))}
    places = list(sums.items())
    for order, (at, value) in enumerate(places):
        rank, count = min(ranks[value], 4), min(counts[value], 4)
        after = [later for _, later in places[order + 1 : order + 6]]
        # Paid less change is the total: a habit of receipts and statements.
        change = any(a - b == value for a in after[:3] for b in after if a > b > 0)
        rows[at].extend(
            [
                f"rank={rank}",
                f"same={count}",
                f"rs={rank} {count}",
                f"left={min(len(places) - order, 6)}",
                f"change={change}",
                f"more={sum(later > value for later in after)} {min(len(after), 3)}",
            ]
        )


def _dated(text: str, tokens: Places, rows: list[list[str]]) -> None:
    """Add which tokens are of a whole date, however it is written, and which date it is."""
    starts = [start for start, _ in tokens]
    spans = sorted({(start, end) for start, end, _, _ in find_dates(text)})
    for number, (start, end) in enumerate(spans):
        first, stop = bisect_left(starts, start), bisect_left(starts, end)
        for at in range(first, stop):
            place = "U" if stop - first == 1 else "B" if at == first else "I"
            rows[at].append(f"date={place}")
            rows[at].append(f"date={place}{min(number, 3)}")
        if stop < len(rows):
            rows[stop].append("-date")


def _cents(amount: str) -> int:
    return int("".join(c for c in amount if c.isdigit()))


def _spoken(text: str, tokens: Places, rows: list[list[str]]) -> None:
    """Add who speaks in a conversation and how many turns are still to come."""
    turns = [(found.start(), found[1]) for found in ROLE.finditer(text)]
    starts = [start for start, _ in turns]
    for at, (start, _) in enumerate(tokens):
        turn = bisect_right(starts, start) - 1
        # The last message of a request stands without a role: it is the user's.
        role = turns[turn][1] if turn >= 0 else "none"
        rows[at].append(f"role={role}")
        rows[at].append(f"turn={min(len(turns) - turn, 5)} {role}")


def _chosen(text: str, tokens: Places, words: Sequence[Word], rows: list[list[str]]) -> None:
    """Add for which fields a token's window was chosen, at which rank and how surely."""
    starts = [start for start, _ in tokens]
    for region in regions(text):
        first, stop = bisect_left(starts, region.start), bisect_left(starts, region.end)
        for at in range(first, stop):
            shape, before = words[at][1], words[at - 1][0] if at else "<s>"
            for mark in region.marks:
                rows[at].extend(
                    [
                        f"w={mark[:5]}",
                        f"w{mark[5]}={mark[:4]}",
                        f"w={mark[:5]} {shape}",
                        f"w={mark[:5]} {shape} {before}",
                    ]
                )


def features(
    text: str, tokens: Places, layout: Layout, lexicon: Lexicon, own: Lexicon | None = None
) -> list[list[str]]:
    """Return the features of every token.

    In training `own` is the row's own contribution to `lexicon`, left out so that the model can't
    learn to recognise its own answers.
    """
    words = [_word(text[start:end]) for start, end in tokens]
    rows = _context(words)
    if lexicon:
        _known(words, lexicon, own or {}, rows)
    groups: tuple[tuple[bool, Callable[[], None]], ...] = (
        (layout.lines, lambda: _placed(text, tokens, words, rows)),
        (layout.lines, lambda: _ranked(words, rows)),
        (layout.lines, lambda: _dated(text, tokens, rows)),
        (layout.roles, lambda: _spoken(text, tokens, rows)),
        (layout.windows, lambda: _chosen(text, tokens, words, rows)),
    )
    for wanted, add in groups:
        if wanted:
            add()
    return rows
