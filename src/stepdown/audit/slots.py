"""What stands in one hole of a template: data, or one of a few instructions that differ."""

import re
from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from stepdown.audit.alignment import align, words
from stepdown.audit.clusters import cluster
from stepdown.audit.dependence import depends
from stepdown.audit.tokens import is_name, skeleton
from stepdown.core.templates import Template

__all__ = ["Slot", "divide", "instruction", "is_free", "is_labelled", "is_long"]

Labels = list[str]

_MOST_VALUES = 60  # distinct values of a slot that may still be a closed set
_LONGEST = 4000  # characters of a value that may still be an instruction
_MEAN_LENGTH = 500  # characters; many different values that are longer are no closed set
_COVER = 0.98  # a closed set covers nearly all texts
_TILE = 0.9  # templates inside a hole cover so many texts, or they are the data's own
_FEW = 4  # short lower-case values that count as different instructions
_SEVERAL = 60  # the same for sentences
_SENTENCE = 3  # words that make a value a sentence
_FEW_FIRST = 3  # first words of an open hole that count as instructions
_NUMBERS = 3  # distinct lone numbers that count as different instructions

_NEAR = 60  # characters that a date, an id or a name takes at most
_SOME = 0.15  # of the calls have, or lack, a sentence that makes a task of its own
_CLAUSE = 4  # lower-case words that make such a sentence
_BRIEF = 300  # constant characters of an instruction in the middle of a prompt

_WORD = re.compile(r"[^\W\d_]+")
_LOWER = re.compile(r"(?<![^\W\d_])[a-zß-öø-ÿ]+")
_TASK = re.compile(r"(?:task|instructions?|goal|role)\W*$", re.IGNORECASE)
_QUOTED = re.compile(r"(?:[:\"'`>*#=|(\[{“]|---+)\s*$|^$")
_LABELLED = re.compile(r"(?:[:\"'`>*#=|(\[{“-]|(?:^|\n)#+[^\n]*\n)\s*$")
_BLOCK = re.compile(r"(?:[\"'`>=|(\[{“]|---+|[:*#]\s*\n|\n#+[^\n]*\n)\s*$")
_LONE_NUMBER = re.compile(r"\W*(\d{1,3})(?: ?[a-z]|\W*$)")
_WORD_OR_NUMBER = re.compile(r"\w+")
_NUMBER = re.compile(r"\d{1,3}")


class Slot(msgspec.Struct, frozen=True):
    """One hole: its text in every call, the constant text at its sides, and how special that is.

    `whole` says that the hole is a whole system prompt or, if `message`, a whole user message;
    `bound` that the template around it already says what the task is, so that this may well be the
    data. `rest` is the free text of the calls' messages.
    """

    values: Sequence[str]
    before: str = ""
    after: str = ""
    whole: bool = False
    message: bool = False
    bound: bool = False
    rest: Sequence[str] = ()


def divide(slot: Slot, common: Collection[str]) -> Labels | None:
    """Return a label for each call where the hole tells tasks apart, or None where it is data.

    The label "" is for calls that belong to none of the tasks found.
    """
    if len(slot.values) < 2:
        return None
    distinct = Counter(slot.values)
    if len(distinct) == 1:
        return None
    closed = _closed(slot, distinct, common)
    if closed is not None:
        return closed or None
    return _open(slot, common)


def _may_be_closed(distinct: Counter[str], common: Collection[str]) -> bool:
    """Say whether the values, but for names and dates, are few, judged by some of them."""
    if len(distinct) <= _MOST_VALUES:
        return True
    some = list(distinct)[:: len(distinct) // _MOST_VALUES]
    if sum(map(len, some)) > _MEAN_LENGTH * len(some):
        return False
    return len({skeleton(value, common, anywhere=False) for value in some}) < len(some) / 2


def instruction(constant: str, before: str) -> str:
    """Return what a constant text behind `before` instructs: "*" for a name or a date, "" for data.

    Text that a label announces is data, and so is a long one.
    """
    if is_labelled(before) or len(constant) > _BRIEF:
        return ""
    number = _LONE_NUMBER.match(constant)
    if number:
        return number[1]
    said = skeleton(constant, (), anywhere=True)
    return " ".join(_WORD.findall(said)) or said.strip(" .,;:!?")


def is_free(slot: Slot) -> bool:
    """Say whether a hole holds free text: many different values, and not just names and dates."""
    if len(set(slot.values)) <= 0.3 * len(slot.values):
        return False
    some = slot.values[:: max(1, len(slot.values) // 20)]
    shapes = {skeleton(value[:400], (), anywhere=True) for value in some}
    return len(shapes) > 0.5 * len(some)


def is_long(slot: Slot) -> bool:
    """Say whether a hole mostly holds more than a name, a date or an id."""
    return sum(len(value) > _NEAR for value in slot.values) > len(slot.values) / 2


def is_labelled(before: str) -> bool:
    """Say whether constant text announces data: a label, a heading, a quotation mark, a tag."""
    return bool(_LABELLED.search(before)) and not _TASK.search(before)


def _closed(slot: Slot, distinct: Counter[str], common: Collection[str]) -> Labels | None:
    """Divide by the value itself where there are few; [] where these are data; None: not closed."""
    total = len(slot.values)
    # A whole message that comes a few times is a repeated text, not an instruction.
    least = max(20, 0.05 * total) if slot.whole and slot.message else max(3, 0.005 * total)
    if max(map(len, distinct)) > _LONGEST or not _may_be_closed(distinct, common):
        return None
    numbers = _numbers(slot, distinct, least)
    if numbers:
        return numbers
    # Where most values are single capitalised words, the position is a name's, not a sentence's.
    shapes = {value: skeleton(value, common, anywhere=False) for value in distinct}
    bare = {value: skeleton(value, (), anywhere=True) for value in distinct}
    names = sum(count for value, count in distinct.items() if bare[value] == "*")
    if names >= 0.9 * total and _starts_inside(slot.before):
        return []
    # A sentence's first word is a name where others have a name in its place.
    known = set(shapes.values())
    shapes = {value: bare[value] if bare[value] in known else shapes[value] for value in distinct}
    sizes: Counter[str] = Counter()
    for value, count in distinct.items():
        sizes[shapes[value]] += count
    solid = {shape: count for shape, count in sizes.items() if count >= least}
    if sum(solid.values()) < _COVER * total:
        return None
    if len(solid) == 1:
        return []
    kinds = [shapes[value] for value in slot.values]
    if not _are_instructions(slot, solid) and not (slot.rest and depends(kinds, slot.rest)):
        return []
    return [shapes[value] + "\x00" if shapes[value] in solid else "" for value in slot.values]


def _starts_inside(before: str) -> bool:
    """Say whether what follows `before` is inside a sentence, where a capital marks a name."""
    return bool(before.strip()) and before.strip()[-1] not in ".!?" and not before.endswith("\n")


def _numbers(slot: Slot, distinct: Counter[str], least: float) -> Labels | None:
    """Divide by a lone small number inside an instruction ("at most 3 words")."""
    if len(distinct) > _NUMBERS or min(distinct.values()) < least:
        return None
    inside = re.search(r"[a-z] ?$", slot.before) and re.match(r"[ -][a-z]", slot.after)
    if not inside or not all(_NUMBER.fullmatch(value.strip()) for value in distinct):
        return None
    return list(slot.values)


def _are_instructions(slot: Slot, solid: dict[str, int]) -> bool:
    """Say whether the shapes of a closed set read as instructions, not as a parameter's values."""
    if _BLOCK.search(slot.before):
        return False
    said = [shape for shape in solid if shape]
    sizes = [len(_WORD.findall(shape)) for shape in said]
    short = sum(size < _SENTENCE for size in sizes) > len(sizes) / 2
    if slot.whole and slot.bound and short:
        return False
    verbs = not _starts_inside(slot.before) and len(solid) <= _FEW and max(sizes) > 1
    if "*" in solid and max(sizes) < _SENTENCE and not verbs:
        return False
    if short and (_LABELLED.search(slot.before) or len(solid) > _FEW):
        return False
    return len(solid) <= _SEVERAL


def _open(slot: Slot, common: Collection[str]) -> Labels | None:
    """Divide an open hole by the templates that its texts are made with, if they are."""
    if slot.bound and is_labelled(slot.before):
        return None
    leading = _leading(slot, common)
    if leading is not None:
        return leading
    found = cluster(slot.values, common).tolist()
    if max(found) < 0:
        return None
    labels = [str(number) if number >= 0 else "" for number in found]
    labels = _drop_weak(slot, labels)
    kept = Counter(label for label in labels if label)
    if not kept:
        return None
    if len(kept) == 1 and "" not in labels:
        return None
    return _instructing(slot, labels, kept) if slot.bound else labels


def _leading(slot: Slot, common: Collection[str]) -> Labels | None:
    """Divide by the first word where there are two or three: an instruction's, glued to the text.

    "Answer in French. {text}" has no constant text between its instruction and its data.
    """
    if slot.whole:
        return None
    found = [_WORD_OR_NUMBER.search(value) for value in slot.values]
    firsts = [match[0] if match else "" for match in found]
    sizes = Counter(firsts)
    least = max(3, 0.05 * len(firsts))
    if not 1 < len(sizes) <= _FEW_FIRST or min(sizes.values()) < least:
        return None
    inside = _starts_inside(slot.before)
    if any(is_name(word, () if inside else common) for word in sizes):
        return None
    return [first + "\x00" for first in firsts]


def _drop_weak(slot: Slot, labels: Labels) -> Labels:
    """Dissolve clusters that share too little, or that are one text repeated."""
    members: dict[str, list[str]] = {}
    for label, value in zip(labels, slot.values, strict=True):
        members.setdefault(label, []).append(value)
    weak = {""}
    for label, values in members.items():
        if label and not _is_template(values, slot):
            weak.add(label)
    return ["" if label in weak else label for label in labels]


def _is_template(values: list[str], slot: Slot) -> bool:
    if len(set(values)) == 1 and not slot.bound:
        return slot.whole and len(values) >= 0.05 * len(slot.values)
    template = align(values)
    if words(template) < (2 if not slot.bound else 3):
        return False
    return not slot.bound or _near_edge(template, values)


def _near_edge(template: Template, values: list[str]) -> bool:
    """Say whether constant text begins or ends the values, but for a date, an id or a name."""
    fragments = template.fragments
    if fragments[0].strip() or fragments[-1].strip():
        return True
    return len(fragments) > 2 and max(value.find(fragments[1]) for value in values) <= _NEAR


def _instructing(slot: Slot, labels: Labels, kept: Counter[str]) -> Labels | None:
    """Return the labels by which a bound hole is divided like instructions divide it, or None.

    Either few templates cover nearly all texts, or some calls have a sentence that others lack.
    """
    bare = sum(
        not label and skeleton(value, (), anywhere=True) in ("", "*", ".", "* .")
        for label, value in zip(labels, slot.values, strict=True)
    )
    share = (sum(kept.values()) + bare) / len(labels)
    if (len(kept) > 1 or bare) and share >= _TILE and len(kept) <= _SEVERAL:
        return labels if slot.whole or _are_brief(slot, labels, kept) else None
    if slot.whole or _QUOTED.search(slot.before):
        return None
    for label, count in kept.most_common(3):
        if _SOME <= count / len(labels) <= 1 - _SOME:
            members = [v for v, own in zip(slot.values, labels, strict=True) if own == label]
            if _begins_with_sentence(align(members)):
                return [label if own == label else "" for own in labels]
    return None


def _begins_with_sentence(template: Template) -> bool:
    first = template.fragments[0]
    ended = first.rstrip(" ")[-1:] in (".", "!", "?", ":", "\n")
    return ended and len(first) <= _BRIEF and len(_LOWER.findall(first)) >= _CLAUSE


def _are_brief(slot: Slot, labels: Labels, kept: Counter[str]) -> bool:
    """Say whether clusters differ in a sentence or two; longer forms are those of documents."""
    for label in kept:
        members = [v for v, own in zip(slot.values, labels, strict=True) if own == label]
        if align(members).constant_chars > _BRIEF:
            return False
    return True
