"""A part of the log counted apart: what a worker finds in it, given the groups known so far.

Nothing is learnt here. Calls that fit no known group come back as they are, for whoever learns.
"""

from collections.abc import Iterable, Mapping

import msgspec

from stepdown.audit.grouping import Bin, Grouper, Key, key_of
from stepdown.audit.merging import Group, Seens, Templates
from stepdown.audit.mining import Texts
from stepdown.audit.tally import Bounds, Tally
from stepdown.core.calls import Call
from stepdown.core.tasks import texts

__all__ = ["Known", "KnownGroup", "Left", "Part", "count", "known_of"]


class KnownGroup(msgspec.Struct, frozen=True):
    """A group, how many more samples it wants, and what its tally no longer takes."""

    number: int
    templates: Templates
    room: int
    bounds: Bounds


class Known(msgspec.Struct, frozen=True):
    """The groups of each bin, in the order in which they are tried, at one version of them."""

    version: int
    groups: dict[Key, tuple[KnownGroup, ...]]


class Left(msgspec.Struct, frozen=True):
    """A call of the part that fits no known group: which number it is of all, and of its bin."""

    index: int
    seen: int
    data: bytes


class Part(msgspec.Struct, frozen=True):
    """What was found: calls by bin and by group, in the order of the log, and what is left."""

    version: int
    seen: dict[Key, int]
    tallies: dict[int, Tally]
    kept: dict[int, tuple[int, list[Texts], Seens | None]]
    left: tuple[Left, ...]


def known_of(grouper: Grouper, tallies: Mapping[int, Tally]) -> Known:
    """Return what another process has to know to count calls."""

    def told(group: Group) -> KnownGroup:
        tally = tallies.get(group.number)
        room = group.room - len(group.kept)
        return KnownGroup(group.number, group.templates, room, tally.bounds if tally else Bounds())

    found = grouper.groups_of()
    return Known(grouper.version, {key: tuple(map(told, found[key])) for key in found})


def count(calls: Iterable[Call], known: Known) -> Part:
    """Count the calls by the groups that are known."""
    encode = msgspec.msgpack.Encoder().encode
    bounds = {one.number: one.bounds for groups in known.groups.values() for one in groups}
    bins: dict[Key, Bin] = {}
    tallies: dict[int, Tally] = {}
    left: list[Left] = []
    for index, call in enumerate(calls):
        key = key_of(call)
        here = bins.get(key)
        if here is None:
            here = bins[key] = Bin(map(_group, known.groups.get(key, ())))
        here.seen += 1
        said = texts(call.request)
        group = here.find(said)
        if group is None:
            left.append(Left(index, here.seen, encode(call)))
            continue
        group.keep(said)
        tally = tallies.get(group.number)
        if tally is None:
            tally = tallies[group.number] = Tally(call, bounds[group.number])
        tally.add(call)
    kept = {
        g.number: (g.count, g.kept, g.seens)
        for here in bins.values()
        for g in here.groups
        if g.count
    }
    seen = {key: here.seen for key, here in bins.items()}
    return Part(known.version, seen, tallies, kept, tuple(left))


def _group(known: KnownGroup) -> Group:
    return Group(known.number, known.templates, known.room)
