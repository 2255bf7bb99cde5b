"""A part counted apart: by the groups that are known, and the rest given back."""

from tests.audit.prompts import calls_of

from stepdown.audit.counting import Counting
from stepdown.audit.merging import KEPT
from stepdown.audit.parts import count, known_of

LAYOUTS = [
    ("You sort the mail of a shop. Today is {date}.", "{text}"),
    ("", "Classify the following message of {name}:\n\n{text}\n\nLabel:"),
]


def learnt(calls):
    """Count calls until the groups of both layouts are known."""
    counting = Counting()
    for call in calls:
        counting.add(call)
    for key in list(counting.grouper._bins):
        for placed in counting.grouper._mine(key, counting.grouper.bin(key)):
            counting._tally(*placed)
    return counting


def test_nothing_is_known_at_first():
    calls = [call for call, _ in calls_of(LAYOUTS, 5)]
    part = count(calls, Counting().known())
    assert [left.index for left in part.left] == list(range(10))
    assert [left.seen for left in part.left] == list(range(1, 11))
    assert part.tallies == {}


def test_calls_of_known_groups_are_counted_and_others_given_back():
    counting = learnt([call for call, _ in calls_of(LAYOUTS, 60)])
    known = known_of(counting.grouper, counting.tallies)
    calls = [call for call, _ in calls_of(LAYOUTS, 30, seed=1)]
    odd = [call for call, _ in calls_of([("", "{text} and nothing more")], 2)]
    part = count([*calls, *odd], known)
    assert sorted(tally.calls for tally in part.tallies.values()) == [30, 30]
    assert [left.index for left in part.left] == [60, 61]
    assert sum(part.seen.values()) == 62


def test_a_part_brings_no_more_samples_than_are_wanted():
    counting = learnt([call for call, _ in calls_of(LAYOUTS, 60)])
    part = count([c for c, _ in calls_of(LAYOUTS, 50, seed=2)], counting.known())
    groups = [g for some in counting.grouper.groups_of().values() for g in some]
    for group in groups:
        assert len(part.kept[group.number][1]) == KEPT - len(group.kept)
