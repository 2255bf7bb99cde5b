"""The count of all calls; that parts end in the same is tests/cli/test_sharding.py's."""

from tests.audit.prompts import calls_of
from tests.audit.test_parts import LAYOUTS, learnt

from stepdown.audit.counting import Counting
from stepdown.audit.parts import count


def made(each, seed=0):
    return [call for call, _ in calls_of(LAYOUTS, each, seed)]


def sums(counting):
    return sorted((tally.calls, len(tally.sample)) for tally in counting.tallies.values())


def test_every_call_is_in_one_tally():
    told = []
    counting = Counting(lambda *what: told.append(what))
    for call in made(40):
        counting.add(call)
    counting.finish()
    assert sum(tally.calls for tally in counting.tallies.values()) == 80
    assert (counting.calls, counting.placed) == (80, 80)
    assert told[-1] == ("calls", 80, 80)


def test_a_part_is_taken_over_whole():
    more = made(30, seed=1)
    counting, alone = learnt(made(60)), learnt(made(60))
    counting.take(count(more, counting.known()), lambda: more)
    for call in more:
        alone.add(call)
    assert counting.taken == 1
    assert (counting.calls, counting.placed) == (alone.calls, alone.placed)
    assert sums(counting) == sums(alone)
    seen = [
        {key: here.seen for key, here in one.grouper._bins.items()} for one in (counting, alone)
    ]
    assert seen[0] == seen[1]


def test_a_part_counted_by_older_groups_is_counted_anew():
    more = made(30, seed=1)
    counting = Counting()
    part = count(more, counting.known())
    counting = learnt(made(60))
    counting.take(part, lambda: more)
    assert counting.taken == 0
    assert sum(tally.calls for tally in counting.tallies.values()) == 180
