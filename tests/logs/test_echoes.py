"""Calls read before under another id: known by model, second and texts; the limit holds."""

import msgspec
import pytest

from stepdown.core.calls import Answer, Call, Message, Request
from stepdown.logs.echoes import Echoes, echo_of

CALL = Call("a", Request("m", (Message("user", "hi"),)), Answer("yes"), "gpt-4o", time=1.7e9 + 0.2)


def changed(**fields):
    return msgspec.structs.replace(CALL, **fields)


def test_an_echo_is_of_what_was_said_and_when_and_the_same_everywhere():
    same = changed(id="b", time=1.7e9 + 0.9, model="gpt-4o-2024-08-06", latency_ms=3.0)
    assert echo_of(CALL) == echo_of(same) == 3765886825647186315
    others = [
        changed(time=1.7e9 + 1.2),
        changed(model="gpt-4o-mini"),
        changed(answer=Answer("no")),
        changed(request=Request("m", (Message("user", "ho"),))),
    ]
    assert len({echo_of(CALL), *map(echo_of, others)}) == 5


@pytest.mark.parametrize("time", [None, 1_699_920_000.0])
def test_without_a_second_there_is_none(time):
    assert echo_of(changed(time=time)) == 0
    assert not any(Echoes(9).add("line-1", 0, 1) for _ in range(2))


def test_ids_tell_calls_apart_in_one_file_and_not_between_files():
    known = Echoes(9)
    known.several = True
    assert [known.add(name, 7, "one") for name in ("a", "b", "line-1")] == [False, False, True]
    assert known.add("c", 7, "two")


def test_many_at_once_are_taken_where_one_by_one_none_would_be_told():
    known = Echoes(4)
    known.several = True
    assert known.add_all([("a", 1), ("b", 1), ("c", 0)], "one")
    assert not known.add_all([("line-1", 1)], "one")
    assert not known.add_all([("line-1", 2), ("d", 2)], "one")
    assert not known.add_all([("e", 1)], "two")
    assert not known.add_all([("f", 2), ("g", 3), ("h", 4), ("i", 5)], "two")
    assert not known.add("j", 2, "two")
