"""Groups that turned out to be one task: their kept samples, mined together, say so."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import reduce

from stepdown.audit.alignment import generalise, hole_heads
from stepdown.audit.mining import Texts, binding, is_telling, mine
from stepdown.audit.seen import ANY, Seen, carried, closed, meet, seen
from stepdown.audit.slots import instruction
from stepdown.audit.tokens import date_spans
from stepdown.core.tasks import Signature
from stepdown.core.templates import ANYTHING, Template, match

__all__ = ["KEPT", "Group", "Seens", "Templates", "join", "merge_alike", "unite"]

KEPT = 60
"""Sample calls kept of each group."""

_FEWEST = 8  # of these at least are looked at, however small the group
_MOST = 4000  # sample calls that are mined together
_LONG = 6000  # characters of a text that a sample keeps
_BINDING = 3  # telling words that a merged template keeps
_HOLE = "\x00"  # stands for a hole where a template is treated as a text
_SURE = 40  # so many texts do not begin alike by chance
_RARE = 0.3  # a group so much smaller than another may be a part of it

# Three words that end as a sentence or a label does: "Classify this review: {text}".
_OPENING = re.compile(r"(?:[^\W\d_]+[ ,'’-]+){2,}[^\W\d_]+\W*?[.!?:\n]")
_CLOSING = re.compile(r"\n\W*(?:[^\W\d_]+\W+){2,}[^\W\d_]+")

Templates = tuple[Template, Template, Template]
"""Templates of a request's system, history and user text."""

Seens = tuple[list[Seen], ...]
"""What was seen in the holes of the three templates."""


class Group:
    """A task in the making: its templates, and sample texts of its calls.

    `count` calls were assigned to it; the first of them are `kept`, as many as there is `room` for,
    long ones shortened.
    """

    def __init__(self, number: int, templates: Templates, room: int = KEPT) -> None:
        self.number = number
        self.room = room
        self.count = 0
        self.kept: list[Texts] = []
        self.seens: Seens | None = None
        self.become(templates)

    def become(self, templates: Templates, *others: "Group") -> None:
        """Take these templates, and what was seen by `others` whose calls they fit as well."""
        found = [
            tuple(map(carried, group.templates, group.seens, templates))
            for group in (self, *others)
            if group.seens is not None
        ]
        self.seens = reduce(_both, found) if found else None
        self.templates = templates
        self.signature = Signature("", "", *templates)

    def keep(self, said: Texts) -> None:
        """Count a call, note what varies in it, and keep the first ones."""
        self.count += 1
        self._see(said)
        if len(self.kept) >= self.room:
            return
        system, history, user = said
        self.kept.append((system, history[:_LONG], _shortened(user)))

    def follow(self, count: int, kept: Sequence[Texts], seens: "Seens | None") -> None:
        """Take over `count` calls that another process kept the first of, and saw."""
        self.count += count
        self.kept.extend(kept[: self.room - len(self.kept)])
        if seens is not None:
            self.seens = seens if self.seens is None else _both(self.seens, seens)

    def closed(self) -> Templates:
        """Return the templates with holes only where calls were seen to differ.

        What few user texts have in common may be chance: there only what never moved is constant.
        """
        if self.seens is None:
            return self.templates
        sure = self.count >= _SURE
        system, history, user = zip(self.templates, self.seens, strict=True)
        if self.templates[2] == ANYTHING and not sure:
            user = ANYTHING, [ANY]
        return (
            closed(*system, edges=True, stamps=True, inner=sure),
            closed(*history, edges=sure, stamps=False),
            closed(*user, edges=sure, stamps=sure and len(user[1]) > 1),
        )

    def _see(self, said: Texts) -> None:
        """Note what stands in each hole that may still be constant."""
        if self.seens is None:
            holes = map(match, self.templates, said)
            self.seens = tuple(
                [seen(value, inner=part == 0) for value in found or ()]
                for part, found in enumerate(holes)
            )
            return
        for part, (seens, text) in enumerate(zip(self.seens, said, strict=True)):
            if all(one.is_open for one in seens):
                continue
            for at, value in enumerate(match(self.templates[part], text) or ()):
                one = seens[at]
                if not one.is_open and (one.varied or one.head != value):
                    seens[at] = meet(one, seen(value, inner=bool(one.inner)))


def _both(one: Seens, other: Seens) -> Seens:
    return tuple(list(map(meet, ours, theirs)) for ours, theirs in zip(one, other, strict=True))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONG else text[: _LONG // 2] + text[-_LONG // 2 :]


def join(several: Sequence[Templates]) -> Templates:
    """Return templates that fit whatever any of `several` fits."""
    system, history, user = (generalise(parts) for parts in zip(*several, strict=True))
    return system, history, user


def merge_alike(groups: Sequence[Group]) -> dict[int, int]:
    """Merge groups that are one task; return the surviving number of each that is no more.

    All are mined together first, then those that begin alike, then those that end alike: among
    these the template that they share stands out from what their data have in common.
    """
    merged: dict[int, int] = {}
    edges: tuple[Callable[[Templates], str], ...] = (_all, _beginning, _ending)
    for edge in edges:
        families: dict[str, list[Group]] = {}
        for group in groups:
            if group.number not in merged:
                families.setdefault(edge(group.templates), []).append(group)
        for family in families.values():
            if len(family) > 1:
                _merge_family(family, merged)
    return {old: _survivor(new, merged) for old, new in merged.items()}


def unite(groups: Sequence[Group], *, stated: bool) -> dict[int, int]:
    """Make one task of groups whose calls are asked the same in every part but for dates.

    Where the calls state that they are one task and the system prompt says what to do, the user's
    text is its input in any wording, unless it begins or ends with an instruction of its own.
    """
    alike: dict[str, list[Group]] = {}
    for group in groups:
        telling = binding(group.templates[0]) >= _BINDING
        if group.count and (stated or telling):
            alike.setdefault(_asked(group, worded=stated and telling), []).append(group)
    merged: dict[int, int] = {}
    for family in alike.values():
        if len(family) > 1:
            _absorb(family, merged)
    return merged


def _asked(group: Group, *, worded: bool) -> str:
    """Return what the calls are asked: the system prompt, the examples and the user's constants.

    Holes and dates are left out; of a user's text that is `worded` freely, only what instructs at
    its beginning and end is kept.
    """
    system, history, user = group.closed()
    said = user.fragments
    if worded:
        edges = (_OPENING, said[0]), (_CLOSING, said[-1])
        said = tuple(edge if orders.search(edge) else "" for orders, edge in edges)
    return repr((_undated(system.fragments), history.fragments[0], _undated(said)))


def _undated(fragments: Sequence[str]) -> str:
    said = _HOLE.join(fragments)
    for start, end in reversed(date_spans(said)):
        said = said[:start] + _HOLE + said[end:]
    return said


def _survivor(number: int, merged: dict[int, int]) -> int:
    while number in merged:
        number = merged[number]
    return number


def _merge_family(family: list[Group], merged: dict[int, int]) -> None:
    most = max(group.count for group in family)
    share = max(_FEWEST, min(KEPT, _MOST // len(family)))
    samples = [
        (group, said)
        for group in family
        for said in group.kept[: max(_FEWEST, share * group.count // most)]
    ]
    drawn = Counter(group.number for group, _ in samples)
    for mined in mine([said for _, said in samples]):
        counts = Counter(samples[row][0].number for row in mined.rows)
        inside = [g for g in family if counts[g.number] > 0.5 * drawn[g.number]]
        while mined.found and len(inside) > 1:
            inside = _merge(inside, merged)


def _merge(groups: list[Group], merged: dict[int, int]) -> list[Group]:
    """Make one of the largest of `groups` and those that instruct alike; return the others."""
    wide = join([group.templates for group in groups])
    said_before = max(sum(map(binding, group.templates)) for group in groups)
    if sum(map(binding, wide)) < min(_BINDING, said_before):
        return []
    groups = sorted(groups, key=lambda group: (-group.count, group.number))
    said = {group.number: _instructions(wide, group.templates) for group in groups}
    largest = groups[0]
    alike = [g for g in groups if _agree(said[largest.number], said[g.number], g, largest)]
    if len(alike) > 1:
        _absorb(alike, merged)
    return [group for group in groups if group not in alike]


def _absorb(groups: Sequence[Group], merged: dict[int, int]) -> None:
    """Make the first group one of all, and note what became of the others."""
    first = min(groups, key=lambda group: group.number)
    others = [group for group in groups if group is not first]
    first.become(join([group.templates for group in groups]), *others)
    first.count = sum(group.count for group in groups)
    merged.update((group.number, first.number) for group in others)


def _instructions(wide: Templates, narrow: Templates) -> list[str]:
    """Return what one group's templates instruct in each hole of more general ones."""
    return [
        instruction(head, before)
        for some, one in ((wide[0], narrow[0]), (wide[2], narrow[2]))
        for head, before in zip(hole_heads(some, one), some.fragments, strict=False)
    ]


def _agree(ours: list[str], theirs: list[str], small: Group, large: Group) -> bool:
    """Say whether two groups instruct alike; a rare group may say more by chance."""
    rare = small.count < _RARE * large.count
    return all(_same(a, b, rare) for a, b in zip(ours, theirs, strict=True))


def _same(ours: str, theirs: str, rare: bool) -> bool:
    return ours == theirs or {ours, theirs} == {"", "*"} or (rare and "" in (ours, theirs))


def _all(templates: Templates) -> str:
    del templates
    return ""


def _beginning(templates: Templates) -> str:
    """Return what the system prompt is and how the user message begins, to its third real word."""
    system, _, user = templates
    return repr((system.fragments, _telling(" * ".join(user.fragments).split())))


def _ending(templates: Templates) -> str:
    system, _, user = templates
    return repr((system.fragments, _telling(" * ".join(user.fragments).split()[::-1])))


def _telling(said: list[str]) -> list[str]:
    """Return the words up to the third that says something, or nothing."""
    count = 0
    for at, word in enumerate(said):
        count += is_telling(word)
        if count == 3:
            return said[: at + 1]
    return said
