"""The template that all of some texts share: constant fragments found by alignment, with holes."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from stepdown.audit.tokens import mask, moving_spans, tokens
from stepdown.core.templates import ANYTHING, Template, match

__all__ = ["align", "generalise", "generalises", "hole_heads", "words"]

_REFERENCES = 40  # texts that are tokenised to find what may be constant
_WINDOW = 4000  # characters at either end of a long text in which constants are looked for
_TRIES = 12  # candidate fragments tried at each level of the alignment
_NEAR = 60  # characters that a name, a date or an id before a fragment takes at most
_SURE = 40  # so many texts do not begin alike by chance
_FAIRLY_SURE = 20  # so many whole prompts do not
_CONSTANT_DATES = 6  # a prompt with more dates and numbers in it than this has them in examples
_HOLE = "\x00"  # stands for a hole where a template is treated as a text

_WORD = re.compile(r"[^\W\d_]+")
_NUMBER_HEAD = re.compile(r"\d[\w:/.,+-]*$")  # what a number, date or time begins or ends with
_NUMBER_TAIL = re.compile(r"^[\w:/.,+-]*\w")
_DELIMITER = re.compile(r"[\n:\"'`<>\[\](){}|#*=“”]|--")


def words(template: Template) -> int:
    """Count the words that stand in the constant fragments."""
    return sum(len(_WORD.findall(fragment)) for fragment in template.fragments)


def align(texts: Sequence[str]) -> Template:
    """Return the most specific template that safely fits every one of `texts`.

    A fragment is kept where it is really delimited from the free text beside it; dates, ids and the
    like are holes even where all texts have the same.
    """
    if not texts:
        return ANYTHING
    fragments = _common(list(texts), 0)
    template = _tidy(fragments, len(texts))
    return template if all(match(template, text) is not None for text in texts) else ANYTHING


def generalises(wide: Template, narrow: Template) -> bool:
    """Say whether every text that `narrow` matches is matched by `wide`."""
    return match(wide, _HOLE.join(narrow.fragments)) is not None


def generalise(templates: Sequence[Template]) -> Template:
    """Return one template that matches whatever any of `templates` matches."""
    if all(template == templates[0] for template in templates):
        return templates[0]
    shown = [_HOLE.join(template.fragments) for template in templates]
    fragments: list[str] = []
    for fragment in _common(shown, 0):
        fragments.extend(fragment.split(_HOLE))
    wide = _tidy(fragments, _SURE)
    return wide if all(match(wide, text) is not None for text in shown) else ANYTHING


def hole_heads(wide: Template, narrow: Template) -> list[str]:
    """Return the constant text with which `narrow` fills each hole of the more general `wide`."""
    holes = match(wide, _HOLE.join(narrow.fragments)) or ()
    return [hole.split(_HOLE)[0] for hole in holes]


def _common(texts: list[str], depth: int) -> list[str]:
    """Return the fragments that all texts have in order; holes stand between them."""
    head, texts = _cut_prefix(texts)
    tail, texts = _cut_suffix(texts)
    if not any(texts):
        return [head + tail]
    fragment = _inner_fragment(texts) if depth < 40 and all(texts) else ""
    if not fragment:
        return [head, tail]
    places = [text.find(fragment) for text in texts]
    size = len(fragment)
    before = _common([t[:at] for t, at in zip(texts, places, strict=True)], depth + 1)
    after = _common([t[at + size :] for t, at in zip(texts, places, strict=True)], depth + 1)
    joined = [*before[:-1], before[-1] + fragment + after[0], *after[1:]]
    joined[0] = head + joined[0]
    joined[-1] += tail
    return joined


def _shared_head(texts: list[str]) -> str:
    low, high = min(texts), max(texts)
    if high.startswith(low):
        return low
    return low[: next(at for at, char in enumerate(low) if char != high[at])]


def _cut_prefix(texts: list[str]) -> tuple[str, list[str]]:
    prefix = _shared_head(texts)
    if len(prefix) < min(map(len, texts)) or any(len(t) != len(prefix) for t in texts):
        ends = {text[len(prefix) : len(prefix) + 1] for text in texts}
        if prefix[-1:].isalnum() and any(end.isalnum() for end in ends):
            prefix = prefix[: -len(tokens(prefix)[-1])]
        if any(end.isdigit() for end in ends):
            prefix = _NUMBER_HEAD.sub("", prefix)
    return prefix, [text[len(prefix) :] for text in texts]


def _cut_suffix(texts: list[str]) -> tuple[str, list[str]]:
    suffix = _shared_head([text[::-1] for text in texts])[::-1]
    size = len(suffix)
    if size and any(len(text) != size for text in texts):
        starts = {text[-size - 1 : -size] for text in texts}
        if suffix[0].isalnum() and any(start.isalnum() for start in starts):
            suffix = suffix[len(tokens(suffix)[0]) :]
        if any(start.isdigit() for start in starts):
            suffix = _NUMBER_TAIL.sub("", suffix)
    size = len(suffix)
    return suffix, [text[: len(text) - size] for text in texts] if size else texts


def _window_tokens(text: str) -> list[str]:
    if len(text) <= 2 * _WINDOW:
        return tokens(text)
    return [*tokens(text[:_WINDOW]), "", *tokens(text[-_WINDOW:])]


def _inner_fragment(texts: list[str]) -> str:
    """Return the longest run of tokens that stands in all texts equally often, or ""."""
    step = max(1, len(texts) // _REFERENCES)
    references = sorted(set(texts[::step]), key=len)[:_REFERENCES]
    shortest = _window_tokens(references[0])
    shared = set(pairwise(map(mask, shortest)))
    for text in references[1:]:
        shared &= set(pairwise(map(mask, _window_tokens(text))))
    pieces = {piece for run in _runs(shortest, shared) for piece in _pieces(run, references)}
    for piece in sorted(pieces, key=lambda piece: (-len(piece), piece))[:_TRIES]:
        if _is_structural(piece, texts):
            return piece
    return ""


def _runs(shortest: list[str], shared: set[tuple[str, str]]) -> list[list[str]]:
    """Return the stretches of the reference whose neighbouring tokens are shared by all."""
    runs: list[list[str]] = []
    run: list[str] = []
    for left, right in pairwise([*shortest, ""]):
        if (mask(left), mask(right)) in shared:
            run = run or [left]
            run.append(right)
        elif run:
            runs.append(run)
            run = []
    return runs


def _pieces(run: list[str], references: list[str]) -> list[str]:
    """Cut a run where it stops being the same text in all references."""
    pieces, piece = [""], ""
    for token in run:
        longer = piece + token
        if any(longer not in text for text in references):
            pieces.append(piece)
            longer = token if mask(token) != "0" else ""
        piece = longer
    pieces.append(piece)
    return [piece for piece in pieces if _is_solid(piece)]


def _is_solid(fragment: str) -> bool:
    """Say whether a fragment may stand between two holes: it has words, or it ends a line."""
    found = _WORD.findall(fragment)
    return len(found) >= 2 or (bool(_DELIMITER.search(fragment)) and len(fragment.strip(" ")) >= 2)


def _is_structural(run: str, texts: list[str]) -> bool:
    """Say whether `run` is the template's: in all texts, and equally often in nearly all.

    A phrase of free text that all texts happen to share comes once here and five times there. A
    delimiter may come again in the data, if it comes early first, behind a name or a date.
    """
    counts = Counter(text.count(run) for text in texts)
    if 0 in counts:
        return False
    most = counts.most_common(1)[0][1]
    if most >= 0.9 * len(texts) or len(_WORD.findall(run)) >= 6:
        return True
    return bool(_DELIMITER.search(run)) and max(text.find(run) for text in texts) <= _NEAR


def _tidy(fragments: list[str], count: int) -> Template:
    """Cut fragments back to where they are delimited, and open holes at what will not stay."""
    last = len(fragments) - 1
    kept: list[str] = []
    for at, fragment in enumerate(fragments):
        if at > 0:
            fragment = _trim_head(fragment, count)
        if at < last:
            fragment = _trim_tail(fragment, count)
        kept.append(fragment)
    kept = _open_moving(kept)
    if len(kept) == 1:
        return Template((kept[0],))
    inner = [fragment for fragment in kept[1:-1] if _is_solid(fragment)]
    return Template((kept[0], *inner, kept[-1]))


def _trim_tail(fragment: str, count: int) -> str:
    """Cut what a fragment took of the hole after it: few words behind its last delimiter."""
    ends = [found.end() for found in _DELIMITER.finditer(fragment)]
    end = ends[-1] if ends else 0
    # A blank behind the delimiter is the template's: "Text: {text}".
    while end < len(fragment) and fragment[end] == " ":
        end += 1
    rest = fragment[end:]
    few = len(_WORD.findall(rest)) < (3 if ends else 2)
    unsure = count < (_SURE if ends else _FAIRLY_SURE)
    return fragment[:end] if rest and few and unsure else fragment


def _trim_head(fragment: str, count: int) -> str:
    """Cut what a fragment took of the hole before it: a full stop, or few words and a delimiter."""
    found = _DELIMITER.search(fragment)
    start = found.start() if found else len(fragment)
    head = fragment[:start]
    number = len(_WORD.findall(head))
    if number == 0 or (count < _SURE and number < 3 and found is not None):
        return fragment[start:]
    return fragment


def _open_moving(fragments: list[str]) -> list[str]:
    """Open a hole at each date, time, amount, id and address."""
    spans = [moving_spans(fragment) for fragment in fragments]
    if sum(map(len, spans)) > _CONSTANT_DATES:
        return fragments
    opened: list[str] = []
    for fragment, moving in zip(fragments, spans, strict=True):
        at = 0
        for start, end in moving:
            opened.append(fragment[at:start])
            at = end
        opened.append(fragment[at:])
    return opened
