"""One sitting: what was stored before is read, and Ctrl-C ends it without a loss."""

import asyncio
import os
import signal
import sqlite3
from collections import Counter
from contextlib import closing

import pytest
from tests.cli.labelling.test_asking import audited, desk, teacher

from stepdown.cli.labelling.sitting import interruptible
from stepdown.label.asking import Sitting

__all__ = ["audited", "desk", "teacher"]


def test_a_stored_response_that_cannot_be_read_is_no_label(desk, teacher):
    desk("--yes", "-n", "5")
    with closing(sqlite3.connect(desk.ledger)) as connection, connection:
        connection.execute(
            "UPDATE items SET state = 'stored', raw = '{}', answer = NULL WHERE seq = 1"
        )
    desk("--yes", "-n", "5")
    assert desk.status == 0
    assert Counter(one.outcome for one in desk.labels()) == {"answered": 4, "unreadable": 1}


def test_the_first_ctrl_c_waits_also_when_nothing_more_is_asked():
    class Capped:
        sitting = Sitting(Counter(), Counter(), stopped="the cap is reached")

        def stop(self, why):
            pass

    waited = []

    async def work():
        async with interruptible(Capped(), "wait"):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(0.05)
                waited.append(1)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(work())
    assert waited == [1]
