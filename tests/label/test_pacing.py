"""How many are let through: one first, then all, half after each overload, one more a round."""

import asyncio
from types import SimpleNamespace

import msgspec

from stepdown.label import pacing
from stepdown.label.pacing import LONGEST_WAIT_S, Pace, Patience, with_those_ahead
from stepdown.label.trouble import HOPELESS, Trouble


def free():
    return 0


async def enter(pace, tokens=0, reserve=free):
    return await asyncio.wait_for(pace.enter(tokens, reserve), 1.0)


async def turn(pace, tokens=0):
    return await asyncio.wait_for(pace.turn(tokens), 1.0)


async def through(pace, tokens=0):
    await pace.enter(tokens, free)
    return await pace.turn(tokens)


async def waits(waited):
    try:
        await asyncio.wait_for(waited, 0.02)
    except TimeoutError:
        return True
    return False


def test_one_goes_first():
    async def go():
        pace = Pace(4)
        assert await enter(pace) == 0
        assert await turn(pace) == 0
        assert await waits(pace.enter(0, free))
        pace.answered()
        pace.leave()
        assert pace.allowed == 4
        for _ in range(4):
            assert not await waits(through(pace))
        assert await waits(through(pace))

    asyncio.run(go())


def test_an_eighth_more_enter_and_each_that_leaves_gives_its_turn_to_one():
    async def go():
        pace = Pace(16)
        pace.answered()
        for _ in range(16):
            await through(pace)
        ahead = [asyncio.ensure_future(through(pace)) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert not any(one.done() for one in ahead)
        assert pace._inside == with_those_ahead(16) == 18
        pace.leave()
        await asyncio.sleep(0.01)
        assert sum(one.done() for one in ahead) == 1
        pace.leave()
        await asyncio.sleep(0.01)
        assert sum(one.done() for one in ahead) == 2
        pace.close()
        assert sorted([await one for one in ahead], key=str) == [0, 0, None]

    asyncio.run(go())


def test_it_halves_once_a_round_and_grows_by_one_a_round():
    async def go():
        pace = Pace(8)
        pace.answered()
        pace.too_much(0, 0.0)
        pace.too_much(0, 0.0)
        assert pace.allowed == 4
        pace.too_much(1, 0.0)
        assert pace.allowed == 2
        for _ in range(3):
            pace.answered()
        assert pace.allowed == 3
        for _ in range(100):
            pace.answered()
        assert pace.allowed == 8

    asyncio.run(go())


def test_a_retry_after_holds_everybody_back():
    clock = [100.0]

    async def go():
        pace = Pace(8, now=lambda: clock[0])
        pace.answered()
        pace.too_much(0, 5.0)
        clock[0] = 104.0
        assert await waits(pace.enter(0, free))
        assert await waits(pace.turn(0))
        clock[0] = 105.0
        assert not await waits(through(pace))

    asyncio.run(go())


def test_without_one_the_pauses_grow():
    clock = [0.0]

    async def go():
        pace = Pace(64, now=lambda: clock[0])
        pace.answered()
        for number in range(4):
            pace.too_much(number, None)
        assert pace._until > 2.5

    asyncio.run(go())


def test_rates_are_kept():
    clock = [0.0]

    async def go():
        pace = Pace(1000, (60.0, None), now=lambda: clock[0])
        pace.answered()
        let = 0
        while not await waits(through(pace)):
            let += 1
        assert let == 11  # ten seconds' worth at once, and the one that begins the next second
        clock[0] += 2.0
        assert [await waits(through(pace)) for _ in range(3)] == [False, False, True]

        pace = Pace(1000, (None, 600.0), now=lambda: clock[0])
        pace.answered()
        assert await through(pace, 90) == 0
        assert await through(pace, 20) == 0
        assert await waits(through(pace, 1))

    asyncio.run(go())


def test_money_is_waited_for_while_others_may_bring_some_back():
    async def go():
        purse = [1]

        def reserve():
            return 7 if purse and not purse.clear() else None

        pace = Pace(4)
        pace.answered()
        assert await enter(pace, 0, reserve) == 7
        assert await turn(pace) == 0
        waiting = asyncio.ensure_future(enter(pace, 0, reserve))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        purse.append(1)
        pace.leave()
        assert await waiting == 7
        pace.leave(sent=False)
        assert await enter(pace, 0, reserve) is None

    asyncio.run(go())


def test_closed_nobody_gets_in():
    async def go():
        pace = Pace(1)
        await enter(pace)
        waiting = asyncio.ensure_future(enter(pace))
        await asyncio.sleep(0.01)
        pace.close()
        assert await waiting is None

    asyncio.run(go())


def test_patience_ends_by_what_is_said_and_by_how_often_nothing_is():
    patience = Patience(Pace(8))
    busy = Trouble("rate limited", False, again=True, slower=True)
    assert patience.tried(busy, 0) == ""
    assert patience.tried(msgspec.structs.replace(busy, ends="No key."), 0) == "No key."
    late = msgspec.structs.replace(busy, retry_after=LONGEST_WAIT_S + 1)
    assert patience.tried(late, 0).startswith("The teacher asks to wait 601 s")
    assert not any(patience.left(busy) for _ in range(HOPELESS - 1))
    patience.answered()
    assert [bool(patience.left(busy)) for _ in range(HOPELESS)] == [False] * 19 + [True]


def fails(patience, clock, found, seconds=10.0):
    clock[0] += seconds
    return patience.tried(found, 0)


def test_patience_ends_a_minute_after_the_last_answer_however_often_it_is_tried(monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(pacing, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    patience = Patience(Pace(8))
    busy = Trouble("rate limited", False, again=True, slower=True)
    assert [fails(patience, clock, busy) for _ in range(3)] == [""] * 3
    patience.answered()
    assert [fails(patience, clock, busy) for _ in range(6)] == [""] * 6
    assert "No answer came for 60 s" in fails(patience, clock, busy)
    # A wait that was asked for is no silence: the minute begins at its end.
    patience.answered()
    assert fails(patience, clock, msgspec.structs.replace(busy, retry_after=90.0)) == ""
    assert [fails(patience, clock, busy) for _ in range(15)] == [""] * 15
    assert "No answer came" in fails(patience, clock, busy)
