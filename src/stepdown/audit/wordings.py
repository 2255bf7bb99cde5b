"""The templates of text answers: what a teacher always words alike, with slots between.

Answers are generalised pairwise (anti-unification: what two texts share in order stays, the rest is
a slot), as long as enough of the wording stays. A template counts when its slots are choices or
stand in the input: the answer is then filled in, not written.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

import msgspec

from stepdown.audit.fields import Column, measure_field
from stepdown.core.anatomy import Field
from stepdown.core.filled import slot_path
from stepdown.core.templates import Template, match

__all__ = ["Wordings", "find_wordings"]

_LEAST_ROWS = 20
_LEAST_COVERED = 0.7
_LEAST_SHARE = 0.05
_LEAST_OF_ONE = 10
_LEAST_WORDS = 2
_MOST_TEMPLATES = 8
_TRIES = 16
_SAMPLE = 40
_MOST_TOKENS = 200
_KEPT = 0.6
"""A text joins when at least this share of the template's words stays."""

_TOKEN = re.compile(r"[^\W_]+|\s+|[^\w\s]|_")
_WORD = re.compile(r"[^\W\d_]{2,}")


class Wordings(msgspec.Struct, frozen=True):
    """Templates, the most frequent first, with the measured slots of all of them.

    `covered` is the share of answers that fill in one of them.
    """

    templates: tuple[Template, ...]
    slots: tuple[Field, ...]
    covered: float


Token = tuple[str, bool]
"""A token, and whether a slot may stand before it."""


def _weight(token: str) -> int:
    return 0 if token.isspace() else 4 if _WORD.match(token) else 2


def _tokens(text: str) -> list[Token]:
    return [(token, False) for token in _TOKEN.findall(text)]


def _counted(tokens: Sequence[Token]) -> Counter[str]:
    """Count the words, leaving out numbers, punctuation and white space."""
    return Counter(token for token, _ in tokens if _WORD.match(token))


def _matched(left: Sequence[Token], right: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Yield the places of the heaviest common subsequence, from left to right.

    Dynamic programming over suffixes (Hirschberg, CACM 1975, algorithm A, with weights); white
    space weighs next to nothing, so that it ties words together and decides nothing.
    """
    width = len(right) + 1
    best = [[0.0] * width for _ in range(len(left) + 1)]
    for i in range(len(left) - 1, -1, -1):
        row, below, token = best[i], best[i + 1], left[i][0]
        gain = _weight(token) + 0.01
        for j in range(len(right) - 1, -1, -1):
            either = max(below[j], row[j + 1])
            row[j] = max(either, below[j + 1] + gain) if right[j][0] == token else either
    i = j = 0
    while i < len(left) and j < len(right):
        same = left[i][0] == right[j][0]
        gain = _weight(left[i][0]) + 0.01
        if same and best[i][j] == best[i + 1][j + 1] + gain:
            yield i, j
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1


class _Pattern(msgspec.Struct, frozen=True):
    """What some texts share; `tail` says that a slot may stand at the end."""

    tokens: tuple[Token, ...]
    tail: bool = False

    @property
    def counted(self) -> Counter[str]:
        return _counted(self.tokens)

    @property
    def words(self) -> int:
        return self.counted.total()

    def with_text(self, text: Sequence[Token]) -> "_Pattern":
        """Return what this and one more text share."""
        kept: list[Token] = []
        last = (-1, -1)
        for i, j in _matched(self.tokens, text):
            apart = self.tokens[i][1] or i > last[0] + 1 or j > last[1] + 1
            kept.append((self.tokens[i][0], apart))
            last = (i, j)
        tail = self.tail or last != (len(self.tokens) - 1, len(text) - 1)
        return _Pattern(tuple(kept), tail)

    def template(self) -> Template:
        """Return the template; what is white space alone between two slots is part of a slot."""
        fragments = [""]
        for token, apart in self.tokens:
            if apart:
                fragments.append(token)
            else:
                fragments[-1] += token
        kept = [fragment for fragment in fragments[1:] if fragment.strip()]
        open_end = self.tail or (len(fragments) > 1 and not fragments[-1].strip())
        return Template((fragments[0], *kept, *([""] if open_end else [])))


def _generalised(texts: Sequence[str]) -> Template | None:
    """Return the template of the first text and all those worded like it."""
    pattern = _Pattern(tuple(_tokens(texts[0])))
    for text in texts[1:_SAMPLE]:
        tokens = _tokens(text)
        least = max(_LEAST_WORDS, _KEPT * pattern.words)
        # What is not shared in any order is not shared in order: most prose ends here.
        if (pattern.counted & _counted(tokens)).total() < least:
            continue
        wider = pattern.with_text(tokens)
        if wider.words >= least:
            pattern = wider
    return pattern.template() if pattern.words >= _LEAST_WORDS else None


def _seeds(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield samples of the texts, each led by another one."""
    step = max(1, len(texts) // _TRIES)
    for first in range(0, len(texts), step):
        stride = max(1, len(texts) // _SAMPLE)
        yield [texts[first], *texts[first % stride :: stride]]


def _templates(texts: Sequence[str]) -> Iterator[tuple[Template, list[int]]]:
    """Yield templates with the rows that fill them in, each row under one template."""
    left = list(range(len(texts)))
    least = max(_LEAST_OF_ONE, _LEAST_SHARE * len(texts))
    for _ in range(_MOST_TEMPLATES):
        best: tuple[Template, list[int]] | None = None
        for sample in _seeds([texts[row] for row in left]):
            template = _generalised(sample)
            if template is None:
                continue
            rows = [row for row in left if match(template, texts[row]) is not None]
            if len(rows) >= least and (best is None or _worth((template, rows)) > _worth(best)):
                best = template, rows
        if best is None:
            return
        yield best
        taken = set(best[1])
        left = [row for row in left if row not in taken]
        if len(left) < least:
            return


def _worth(found: tuple[Template, list[int]]) -> int:
    return found[0].constant_chars * len(found[1])


def _slots(at: int, template: Template, texts: Sequence[str], inputs: Sequence[str]) -> list[Field]:
    found = [match(template, text) or () for text in texts]
    fields: list[Field] = []
    for slot in range(len(template.fragments) - 1):
        values: list[Any] = [holes[slot] for holes in found]
        column = Column(slot_path(at, slot), len(values), values, list(inputs))
        fields.append(measure_field(column, None))
    return fields


def find_wordings(answers: Sequence[str], inputs: Sequence[str]) -> Wordings | None:
    """Return the templates that most answers fill in, or None.

    `inputs` are the texts that were answered. Every slot of a template is a choice, a span of the
    input or derived from one; templates with a slot that is not are left out.
    """
    if len(answers) < _LEAST_ROWS or median(len(_tokens(a)) for a in answers) > _MOST_TOKENS:
        return None
    templates: list[Template] = []
    slots: list[Field] = []
    covered = 0
    for template, rows in _templates(answers):
        texts, asked = [answers[row] for row in rows], [inputs[row] for row in rows]
        own = _slots(len(templates), template, texts, asked)
        if any(field.kind == "free" for field in own):
            continue
        templates.append(template)
        slots.extend(own)
        covered += len(rows)
    if covered < _LEAST_COVERED * len(answers):
        return None
    return Wordings(tuple(templates), tuple(slots), covered / len(answers))
