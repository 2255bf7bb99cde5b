"""Calls into tasks in one pass: known templates first, what fits none is gathered and mined."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from stepdown.audit.alignment import generalise, hole_heads
from stepdown.audit.mining import Texts, binding, is_telling, mine
from stepdown.audit.slots import instruction
from stepdown.core.calls import Call
from stepdown.core.tasks import Signature, texts
from stepdown.core.templates import Template

__all__ = ["Grouper"]

_BATCH = 4000  # unmatched calls that are mined together
_BATCH_CHARS = 24_000_000  # or fewer, when they are this long together
_KEPT = 60  # sample calls kept of each group, to see at the end which groups are one
_FEWEST = 8  # of these at least are looked at, however small the group
_LONG = 6000  # characters of a text that a sample keeps
_REMEMBERED = 20_000  # beginnings of texts whose possible groups are remembered
_HEAD = 8  # characters by which possible groups are looked up
_BINDING = 3  # telling words that a merged template keeps
_RARE = 0.3  # a group so much smaller than another may be a part of it
_PATIENCE = 3  # batches mined for nothing, after which only what recurs is mined
_EDGE = 24  # characters at the edges of a text that recur where there is a template
_AGAIN = 16  # times that they must have come

Key = tuple[str, str, str | None]
Templates = tuple[Template, Template, Template]


class _Group:
    """A task in the making: its templates, and sample texts of its calls."""

    def __init__(self, number: int, templates: Templates) -> None:
        self.number = number
        self.count = 0
        self.kept: list[Texts] = []
        self.become(templates)

    def become(self, templates: Templates) -> None:
        """Take these templates."""
        self.templates = templates
        self.signature = Signature("", "", *templates)

    def keep(self, said: Texts) -> None:
        """Count a call, and keep the first ones."""
        self.count += 1
        if len(self.kept) >= _KEPT:
            return
        system, history, user = said
        self.kept.append((system, history[:_LONG], _shortened(user)))


class _Bin:
    """All calls with the same tools, output format and hint.

    `rest` is the group of the calls that share no template with enough others.
    """

    def __init__(self) -> None:
        self.groups: list[_Group] = []
        self.rest: _Group | None = None
        self.waiting: list[tuple[Call, Texts]] = []
        self.chars = 0
        self._possible: dict[tuple[str, str], list[_Group]] = {}
        self._fruitless = 0
        self._seen: Counter[str] = Counter()

    def find(self, said: Texts) -> _Group | None:
        """Return the most specific group whose templates fit."""
        key = (said[0][:_HEAD], said[2][:_HEAD])
        groups = self._possible.get(key)
        if groups is None:
            if len(self._possible) >= _REMEMBERED:
                self._possible.clear()
            groups = self._possible[key] = [g for g in self.groups if _may_fit(g, key)]
        for group in groups:
            if group.signature.match(*said) is not None:
                return group
        return None

    def changed(self, fruitful: bool) -> None:
        """Sort the groups anew: the most specific come first, as in `TaskIndex`."""
        self.groups.sort(key=lambda group: -group.signature.specificity)
        self._possible.clear()
        self._fruitless = 0 if fruitful else self._fruitless + 1
        self._seen.clear()

    def is_rest(self, said: Texts) -> bool:
        """Say whether a call that fits no group is not worth mining.

        That is so when mining has brought nothing for a while and nothing has begun or ended like
        this call lately; a new template begins or ends alike again and again.
        """
        if self._fruitless < _PATIENCE or self.rest is None:
            return False
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        edges = (said[0][:_EDGE] + said[2][:_EDGE], said[2][-_EDGE:])
        self._seen.update(edges)
        return max(self._seen[edge] for edge in edges) < _AGAIN and (
            self.rest.signature.match(*said) is not None
        )


def _shortened(text: str) -> str:
    return text if len(text) <= _LONG else text[: _LONG // 2] + text[-_LONG // 2 :]


def _may_fit(group: _Group, heads: tuple[str, str]) -> bool:
    for template, head in zip((group.templates[0], group.templates[2]), heads, strict=True):
        first = template.fragments[0]
        if not head.startswith(first[:_HEAD]):
            return False
    return True


class Grouper:
    """Groups a stream of calls into tasks, in one pass and bounded memory.

    Group numbers are given as groups are found; `merged` says which turned out to be one.
    """

    def __init__(self) -> None:
        self._bins: dict[Key, _Bin] = {}
        self._keys: dict[int, Key] = {}
        self._final: dict[int, Signature] = {}
        self._merged: dict[int, int] = {}
        self._waiting_chars = 0

    def add(self, call: Call) -> Iterable[tuple[Call, int]]:
        """Take one call; return the calls whose group is now known, with its number."""
        request = call.request
        key = (request.tools.hash, request.output_format.hash, call.task)
        here = self._bins.get(key)
        if here is None:
            here = self._bins[key] = _Bin()
        said = texts(request)
        group = here.find(said)
        if group is None and here.is_rest(said):
            group = here.rest
        if group is not None:
            group.keep(said)
            return ((call, group.number),)
        here.waiting.append((call, said))
        size = sum(map(len, said)) + 500
        here.chars += size
        self._waiting_chars += size
        if len(here.waiting) >= _BATCH or here.chars > _BATCH_CHARS:
            return self._mine(key, here)
        if self._waiting_chars > 2 * _BATCH_CHARS:
            return self._mine_largest()
        return ()

    def finish(self) -> Iterator[tuple[Call, int]]:
        """Yield the calls still waiting, then settle which groups are one."""
        for key, here in self._bins.items():
            yield from self._mine(key, here)
        for key, here in self._bins.items():
            self._settle(key, here)

    def groups(self) -> dict[int, Signature]:
        """Return the final signatures by group number, after `finish`."""
        return dict(self._final)

    def merged(self) -> dict[int, int]:
        """Return the surviving number for each group that turned out to be part of another."""
        return dict(self._merged)

    def hint_of(self, number: int) -> str | None:
        """Return the caller's own task name for the calls of a group."""
        return self._keys[number][2]

    def _mine_largest(self) -> Iterable[tuple[Call, int]]:
        key = max(self._bins, key=lambda key: self._bins[key].chars)
        return self._mine(key, self._bins[key])

    def _mine(self, key: Key, here: _Bin) -> list[tuple[Call, int]]:
        """Find groups in what waits, and give every waiting call one."""
        waiting, here.waiting = here.waiting, []
        self._waiting_chars -= here.chars
        here.chars = 0
        if not waiting:
            return []
        before = len(here.groups)
        for mined in mine([said for _, said in waiting]):
            if mined.found:
                self._group(key, here, mined.templates)
            else:
                self._widen_rest(key, here, mined.templates)
        here.changed(fruitful=len(here.groups) > before)
        out: list[tuple[Call, int]] = []
        for call, said in waiting:
            group = here.find(said) or here.rest
            if group is None:
                message = "a mined sample left a call without a group"
                raise AssertionError(message)
            group.keep(said)
            out.append((call, group.number))
        return out

    def _group(self, key: Key, here: _Bin, templates: Templates) -> None:
        if all(group.templates != templates for group in here.groups):
            here.groups.append(self._new(key, templates))

    def _new(self, key: Key, templates: Templates) -> _Group:
        group = _Group(len(self._keys), templates)
        self._keys[group.number] = key
        return group

    def _widen_rest(self, key: Key, here: _Bin, templates: Templates) -> None:
        if here.rest is None:
            here.rest = self._new(key, templates)
        else:
            here.rest.become(_join((here.rest.templates, templates)))

    def _settle(self, key: Key, here: _Bin) -> None:
        """Mine kept samples of several groups together: groups that fall into one are one.

        First all, then those that begin alike, then those that end alike: among these the template
        that they share stands out from what their data have in common.
        """
        for edge in (None, _beginning, _ending):
            families: dict[str, list[_Group]] = {}
            for group in here.groups:
                if group.number not in self._merged:
                    families.setdefault(edge(group.templates) if edge else "", []).append(group)
            for family in families.values():
                if len(family) > 1:
                    self._merge_alike(family)
        for group in (*here.groups, *([here.rest] if here.rest else [])):
            if group.number not in self._merged:
                self._final[group.number] = Signature(key[0], key[1], *group.templates)

    def _merge_alike(self, family: list[_Group]) -> None:
        most = max(group.count for group in family)
        samples = [
            (group, said)
            for group in family
            for said in group.kept[: max(_FEWEST, _KEPT * group.count // most)]
        ]
        drawn = Counter(group.number for group, _ in samples)
        for mined in mine([said for _, said in samples]):
            counts = Counter(samples[row][0].number for row in mined.rows)
            inside = [g for g in family if counts[g.number] > 0.5 * drawn[g.number]]
            while mined.found and len(inside) > 1:
                inside = self._merge(inside)

    def _merge(self, groups: list[_Group]) -> list[_Group]:
        """Make one of the largest of `groups` and those that instruct alike; return the others."""
        wide = _join([group.templates for group in groups])
        if sum(map(binding, wide)) < min(
            _BINDING, max(sum(map(binding, g.templates)) for g in groups)
        ):
            return []
        groups = sorted(groups, key=lambda group: (-group.count, group.number))
        said = {group.number: _instructions(wide, group.templates) for group in groups}
        largest = groups[0]
        alike = [g for g in groups if _agree(said[largest.number], said[g.number], g, largest)]
        if len(alike) > 1:
            first = min(alike, key=lambda group: group.number)
            first.become(_join([group.templates for group in alike]))
            first.count = sum(group.count for group in alike)
            self._merged.update((g.number, first.number) for g in alike if g is not first)
        return [group for group in groups if group not in alike]


def _instructions(wide: Templates, narrow: Templates) -> list[str]:
    """Return what one group's templates instruct in each hole of more general ones."""
    return [
        instruction(head, before)
        for some, one in ((wide[0], narrow[0]), (wide[2], narrow[2]))
        for head, before in zip(hole_heads(some, one), some.fragments, strict=False)
    ]


def _agree(ours: list[str], theirs: list[str], small: _Group, large: _Group) -> bool:
    """Say whether two groups instruct alike; a rare group may say more by chance."""
    rare = small.count < _RARE * large.count
    return all(a == b or (rare and not (a and b)) for a, b in zip(ours, theirs, strict=True))


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


def _join(several: Sequence[Templates]) -> Templates:
    system, history, user = (generalise(parts) for parts in zip(*several, strict=True))
    return system, history, user
