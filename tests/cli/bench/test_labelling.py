"""The benchmark of paid labelling, on a few items: its teacher, its kills, its figures."""

import asyncio

import pytest

from stepdown.cli.bench import labelling
from stepdown.cli.bench.figures import breaks
from stepdown.cli.bench.labelling import Killed, desk_of, killed
from stepdown.core.labels import Spend
from stepdown.core.ports import silent

ROWS = [(f"what about number {n}, and {n * n}?", "even" if n % 2 else "odd") for n in range(60)]


@pytest.mark.reliability
def test_kills_lose_nothing_and_the_bill_is_accounted_for():
    with desk_of(ROWS, latency_s=0.02) as desk:
        found = killed(desk, 2, 4, silent)
        assert (found.items, found.kills, found.again, found.unexplained) == (60, 2, 0, 0)
        assert 60 <= found.calls == 60 + found.duplicates <= 68
        assert found.spend.answers == 60
        assert desk.stored() == {text for text, _ in ROWS}
        assert not any(map(breaks, labelling._kill_figures(found)))
        desk.teacher.take()
        asyncio.run(labelling._ask_barely(f"http://127.0.0.1:{desk.teacher.port}/v1", ROWS[0][0]))
        assert len(desk.teacher.bill) == labelling._ITEMS // 4
        assert desk.teacher.rate() > 0


def test_what_must_not_be_breaks_the_benchmark():
    found = Killed(60, 2, 1, 99, 39, Spend(), 5)
    assert [breaks(one) for one in labelling._kill_figures(found)] == [True, True, True]
