"""Signatures mined from a bounded sample of calls: common templates, divided while tasks differ."""

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from stepdown.audit.alignment import align, words
from stepdown.audit.slots import Slot, divide, is_free, is_labelled, is_long
from stepdown.audit.tokens import common_words
from stepdown.core.templates import ANYTHING, Template, match

__all__ = ["Mined", "Texts", "binding", "is_telling", "mine"]

Texts = tuple[str, str, str]
"""A request's system, history and user text."""

_LEAST = 5  # calls that make a template of their own
_DEEPEST = 12
_BINDING = 3  # constant words that say what a task is
_CLOSERS = ("\n", '"', "`", "<", "”", "]", ")", "}", "---")
_EMPTY = Template(("",))
_GENERIC_WORDS = (
    "you are a an the helpful assistant ai chatbot today is current date time now user name your "
    "work for of on at and to from customer client company id ref request message text input "
    "question answer document wrote received"
)
_GENERIC = frozenset(_GENERIC_WORDS.split())


class Mined(msgspec.Struct, frozen=True):
    """Templates for system, history and user text, and the sample's rows that they stand for."""

    templates: tuple[Template, Template, Template]
    rows: tuple[int, ...]
    found: bool = True


def mine(calls: Sequence[Texts]) -> list[Mined]:
    """Divide the calls into tasks; every call is in exactly one, and is matched by its templates.

    `found` is False for what is left over: calls that share no template with enough others.
    """
    common = common_words(text[:2000] for call in calls for text in (call[0], call[2]))
    out: list[Mined] = []
    todo = [(list(range(len(calls))), 0)]
    while todo:
        rows, depth = todo.pop()
        texts = [calls[row] for row in rows]
        templates = _templates(texts)
        labels = _divide(texts, templates, common) if depth < _DEEPEST else None
        if labels is None:
            found = len(rows) >= _LEAST and any(map(words, templates))
            out.append(Mined(templates, tuple(rows), found))
            continue
        parts: dict[str, list[int]] = {}
        for row, label in zip(rows, labels, strict=True):
            parts.setdefault(label, []).append(row)
        todo.extend((part, depth + 1) for part in parts.values())
    return out


def _templates(texts: Sequence[Texts]) -> tuple[Template, Template, Template]:
    few = len(texts) < _LEAST
    system = align([text[0] for text in texts])
    user = ANYTHING if few else align([text[2] for text in texts])
    return system, _history([text[1] for text in texts]), user


def _history(texts: Sequence[str]) -> Template:
    """Return the history's template: none at all, constant examples first, or anything."""
    if not any(texts):
        return _EMPTY
    if len(texts) < _LEAST:
        return ANYTHING
    if len(set(texts)) == 1:
        return Template((texts[0],))
    first = align(texts).fragments[0]
    whole_turns = first[: first.rfind("\n") + 1]
    return Template((whole_turns, "")) if whole_turns.count("\n") >= 2 else ANYTHING


def _divide(
    texts: Sequence[Texts],
    templates: tuple[Template, Template, Template],
    common: Collection[str],
) -> list[str] | None:
    """Return labels that divide the calls, by the first hole that tells tasks apart."""
    if len(texts) < 2 * _LEAST:
        return None
    system = binding(templates[0])
    for part, bound in ((0, 0), (2, system)):
        own = bound + binding(templates[part])
        slots = _slots(texts, part, templates, own >= _BINDING)
        for slot in _outside_data(slots):
            labels = divide(slot, common)
            if labels is not None:
                return labels
    return _by_examples([text[1] for text in texts])


def is_telling(word: str) -> bool:
    """Say whether a word of a prompt tells one task from another: not "today", "you" or "text"."""
    word = word.strip(".,!:\"'()[]<>#").lower()
    return word.isalpha() and word not in _GENERIC


def binding(template: Template) -> int:
    """Count the words of a template that tell one task from another."""
    return sum(is_telling(word) for fragment in template.fragments for word in fragment.split())


def _slots(
    texts: Sequence[Texts], part: int, templates: Sequence[Template], bound: bool
) -> list[Slot]:
    holes = [match(templates[part], text[part]) for text in texts]
    messages = [match(templates[2], text[2]) for text in texts]
    rest = ["\n".join(found or ()) for found in messages]
    fragments = templates[part].fragments
    whole = not any(fragments)
    return [
        Slot(
            values=[hole[at] for hole in holes if hole is not None],
            before=fragments[at],
            after=fragments[at + 1],
            whole=whole,
            message=part == 2,
            bound=bound,
            rest=rest,
        )
        for at in range(len(fragments) - 1)
    ]


def _outside_data(slots: list[Slot]) -> list[Slot]:
    """Leave out what stands between the first and the last hole with free text in it.

    Instructions come before or after the data; what is constant between is the data's own form. So
    is what follows a labelled text without a new line.
    """
    free = [at for at, slot in enumerate(slots) if is_free(slot)]
    kept: list[Slot] = []
    labelled = False
    for at, slot in enumerate(slots):
        labelled = labelled and not slot.before.startswith(_CLOSERS)
        between = bool(free) and free[0] < at < free[-1]
        if not labelled and not between:
            kept.append(slot)
        labelled = labelled or (is_labelled(slot.before) and (at in free or is_long(slot)))
    return kept


def _by_examples(histories: Sequence[str]) -> list[str] | None:
    """Divide by the first two turns where few sets of them open all conversations: examples."""
    heads = ["\n".join(history.split("\n", 2)[:2]) for history in histories]
    sizes = Counter(heads)
    few = len(sizes) <= 8 and min(sizes.values()) >= max(_LEAST, 0.02 * len(heads))
    return heads if few and len(sizes) > 1 and "" not in sizes else None
