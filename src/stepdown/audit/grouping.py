"""Calls into tasks in one pass: known templates first, what fits none is gathered and mined."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from stepdown.audit.merging import Group, Templates, join, merge_alike, unite
from stepdown.audit.mining import Texts, mine
from stepdown.audit.recurrence import Recurrence
from stepdown.core.calls import Call
from stepdown.core.tasks import Signature, texts
from stepdown.core.templates import ANYTHING

__all__ = ["Bin", "Grouper", "Key", "key_of"]

_BATCH = 4000  # unmatched calls that are mined together
_BATCH_CHARS = 24_000_000  # or fewer, when they are this long together
_HELD = 500  # recurring calls that are mined together,
_HELD_CHARS = 6_000_000  # or fewer, when they are this long together
_RARE_TASK = 8  # recurring calls that make a group
_FREE = 16_000  # calls of one kind that may be mined,
_SHARE = 0.02  # and the share of all of them: mining costs a hundred times what matching does
_MOST_GROUPS = 400  # of one kind; what is found after that goes to the rest
_REMEMBERED = 20_000  # beginnings of texts whose possible groups are remembered
_HEAD = 8  # characters by which possible groups are looked up

Key = tuple[str, str, str | None]
"""What calls of one bin share: the hashes of their tools and output format, and their hint."""

Placed = Iterable[tuple[Call, int]]
"""Calls whose group is now known, each with its number."""


def key_of(call: Call) -> Key:
    """Return which bin the call is in."""
    return call.request.tools.hash, call.request.output_format.hash, call.task


class Bin:
    """All calls with the same tools, output format and hint.

    `waiting` calls fit no group yet and will be mined together; `rest` is the group of those that
    share no template with enough others; `held` are such calls that begin or end like many before.
    """

    def __init__(self, groups: Iterable[Group] = ()) -> None:
        self.groups = list(groups)
        self.rest: Group | None = None
        self.waiting: list[tuple[Call, Texts]] = []
        self.chars = 0
        self.held: list[tuple[Call, Texts]] = []
        self.held_chars = 0
        self._possible: dict[tuple[str, str], list[Group]] = {}
        self.mined = 0
        self.seen = 0
        self.has_schema = False

    def find(self, said: Texts) -> Group | None:
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

    def changed(self) -> None:
        """Sort the groups anew: the most specific come first, as in `TaskIndex`."""
        self.groups.sort(key=lambda group: -group.signature.specificity)
        self._possible.clear()

    @property
    def is_spent(self) -> bool:
        """Whether so much was mined that what still fits no group goes to the rest."""
        return self.mined > _FREE + _SHARE * self.seen


def _may_fit(group: Group, heads: tuple[str, str]) -> bool:
    for template, head in zip((group.templates[0], group.templates[2]), heads, strict=True):
        first = template.fragments[0]
        if not head.startswith(first[:_HEAD]):
            return False
    return True


class Grouper:
    """Groups a stream of calls into tasks, in one pass and bounded memory.

    Group numbers are given as groups are found; `merged` says which turned out to be one. `version`
    changes whenever a call may find another group than before.
    """

    def __init__(self) -> None:
        self.version = 0
        self._bins: dict[Key, Bin] = {}
        self._keys: dict[int, Key] = {}
        self._final: dict[int, Signature] = {}
        self._merged: dict[int, int] = {}
        self._waiting_chars = 0
        self._recurrence = Recurrence()

    def add(self, call: Call) -> Placed:
        """Take one call; return the calls whose group is now known, with its number."""
        key = key_of(call)
        here = self.bin(key)
        here.seen += 1
        said = texts(call.request)
        group = here.find(said)
        if group is not None:
            group.keep(said)
            return ((call, group.number),)
        placed, due = self.wait(key, call, said)
        return (*placed, *due()) if due else placed

    def bin(self, key: Key) -> Bin:
        """Return the bin of that key, made where there is none yet."""
        here = self._bins.get(key)
        if here is None:
            here = self._bins[key] = Bin()
        return here

    def groups_of(self, keys: Iterable[Key] | None = None) -> Mapping[Key, Sequence[Group]]:
        """Return each bin's groups, in the order in which they are tried."""
        return {key: self._bins[key].groups for key in keys or self._bins if self._bins[key].groups}

    def wait(self, key: Key, call: Call, said: Texts) -> tuple[Placed, Callable[[], Placed] | None]:
        """Take a call that fits no group; return what is placed, and what is due to be done next.

        What is due may find groups; until it is called, every call finds what it found before.
        """
        here = self._bins[key]
        here.has_schema = bool(call.request.output_format.schema)
        if here.is_spent:
            return self._spare(key, here, call, said)
        here.waiting.append((call, said))
        size = sum(map(len, said)) + 500
        here.chars += size
        self._waiting_chars += size
        if len(here.waiting) >= _BATCH or here.chars > _BATCH_CHARS:
            return (), partial(self._mine, key, here)
        if self._waiting_chars > 2 * _BATCH_CHARS:
            return (), self._mine_largest
        return (), None

    def finish(self) -> Iterator[tuple[Call, int]]:
        """Yield the calls still waiting, then settle which groups are one."""
        for key, here in self._bins.items():
            yield from self._mine(key, here)
            yield from self._release(key, here)
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

    def _mine_largest(self) -> Placed:
        key = max(self._bins, key=lambda key: self._bins[key].chars)
        return self._mine(key, self._bins[key])

    def _mine(self, key: Key, here: Bin) -> list[tuple[Call, int]]:
        """Find groups in what waits, and give every waiting call one or hold it."""
        waiting, here.waiting = here.waiting, []
        self._waiting_chars -= here.chars
        here.chars = 0
        here.mined += len(waiting)
        self._learn(key, here, waiting, 1)
        out: list[tuple[Call, int]] = []
        for call, said in waiting:
            group = here.find(said)
            if group is None:
                out.extend(self._leave(key, here, call, said))
            else:
                group.keep(said)
                out.append((call, group.number))
        return out

    def _leave(self, key: Key, here: Bin, call: Call, said: Texts) -> Placed:
        placed, due = self._spare(key, here, call, said)
        return due() if due else placed

    def _spare(
        self, key: Key, here: Bin, call: Call, said: Texts
    ) -> tuple[Placed, Callable[[], Placed] | None]:
        """Give a call to the rest, or hold it while others like it recur."""
        if not self._recurrence.recurs(said):
            group = self._rest(key, here, said)
            group.keep(said)
            return ((call, group.number),), None
        here.held.append((call, said))
        here.held_chars += sum(map(len, said))
        if len(here.held) >= _HELD or here.held_chars > _HELD_CHARS:
            return (), partial(self._release, key, here)
        return (), None

    def _release(self, key: Key, here: Bin) -> list[tuple[Call, int]]:
        """Mine the calls that were held; what still fits no group goes to the rest for good."""
        held, here.held, here.held_chars = here.held, [], 0
        self._learn(key, here, held, _RARE_TASK)
        out: list[tuple[Call, int]] = []
        for call, said in held:
            group = here.find(said)
            if group is None:
                self._recurrence.forget(said)
                group = self._rest(key, here, said)
            group.keep(said)
            out.append((call, group.number))
        return out

    def _learn(self, key: Key, here: Bin, calls: Sequence[tuple[Call, Texts]], least: int) -> None:
        """Add the groups of at least so many calls that are found in some."""
        if not calls:
            return
        for mined in mine([said for _, said in calls]):
            enough = len(mined.rows) >= least and len(here.groups) < _MOST_GROUPS
            if mined.found and enough:
                self._group(key, here, mined.templates)
            else:
                self._widen_rest(key, here, mined.templates)
        here.changed()

    def _group(self, key: Key, here: Bin, templates: Templates) -> None:
        if all(group.templates != templates for group in here.groups):
            here.groups.append(self._new(key, templates))
            self.version += 1

    def _new(self, key: Key, templates: Templates) -> Group:
        group = Group(len(self._keys), templates)
        self._keys[group.number] = key
        return group

    def _widen_rest(self, key: Key, here: Bin, templates: Templates) -> Group:
        if here.rest is None:
            here.rest = self._new(key, templates)
        else:
            here.rest.become(join((here.rest.templates, templates)))
        return here.rest

    def _rest(self, key: Key, here: Bin, said: Texts) -> Group:
        """Return the rest, wide enough for this call."""
        if here.rest is not None and here.rest.signature.match(*said) is not None:
            return here.rest
        return self._widen_rest(key, here, (ANYTHING, ANYTHING, ANYTHING))

    def _settle(self, key: Key, here: Bin) -> None:
        merged = merge_alike(here.groups)
        groups = [*here.groups, *([here.rest] if here.rest else [])]
        stated = key[2] is not None
        # A format without a schema says as little of the task as plain text does.
        if stated or here.has_schema:
            left = [group for group in groups if group.number not in merged]
            merged |= unite(left, stated=stated)
        self._merged.update(merged)
        for group in groups:
            if group.number not in merged:
                self._final[group.number] = Signature(key[0], key[1], *group.closed())
