"""The purse: a cap is never exceeded, by threads, by a kill, or by a failing disk."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.spending import read_spending

from stepdown.errors import StepdownError, UsageError
from stepdown.store.spend import SqlitePurse


@pytest.fixture
def purse(tmp_path):
    with closing(SqlitePurse(tmp_path / "spend.db")) as made:
        yield made


def test_leases_stop_at_the_cap_and_come_back(purse):
    assert purse.lease("k", "total", 60, 100) == 60
    assert purse.lease("k", "total", 60, 100) == 40
    assert purse.lease("k", "total", 60, 100) == 0
    assert purse.lease("few", "total", 120, 100, 101) == 0 == purse.spent("few", "total")
    assert purse.lease("few", "total", 120, 100, 100) == 100
    purse.settle("k", "total", -30)
    assert purse.spent("k", "total") == 70
    assert purse.lease("k", "total", 60, 100) == 30
    assert purse.lease("k", "2026-11", 10, 100) == 10
    assert purse.lease("other", "total", 10, 100) == 10


def test_what_was_spent_beyond_the_cap_is_written_down(purse):
    purse.settle("k", "total", 500)
    assert purse.lease("k", "total", 1, 100) == 0
    purse.settle("k", "total", -900)
    assert purse.spent("k", "total") == 0


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(-50, 80), st.booleans()), max_size=60))
def test_s16_what_is_out_never_exceeds_the_cap(tmp_path_factory, steps):
    with closing(SqlitePurse(tmp_path_factory.mktemp("p") / "spend.db")) as purse:
        held = 0
        for amount, leases in steps:
            if leases and amount > 0:
                held += purse.lease("k", "total", amount, 100)
            elif not leases and amount < 0:
                back = max(amount, -held)
                purse.settle("k", "total", back)
                held += back
            assert held == purse.spent("k", "total") <= 100


def test_threads_share_one_cap(purse):
    granted = []
    threads = [
        threading.Thread(
            target=lambda: granted.extend(purse.lease("k", "total", 7, 1000) for _ in range(50))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == purse.spent("k", "total") == 1000


def test_it_is_kept_private_and_read_while_it_is_written(purse, tmp_path):
    purse.lease("k", "total", 5, 10)
    assert read_spending(tmp_path / "spend.db") == {("k", "total"): 5}
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.glob("spend.db*")}
    assert modes == {0o600}


def test_old_windows_are_forgotten_and_totals_are_not(tmp_path):
    with closing(SqlitePurse(tmp_path / "spend.db")) as purse:
        for window in ("2001-01-01", "2001-01", "total"):
            purse.lease("k", window, 5, 10)
    with closing(SqlitePurse(tmp_path / "spend.db")) as purse:
        assert purse.spent("k", "2001-01-01") == purse.spent("k", "2001-01") == 0
        assert purse.spent("k", "total") == 5


def test_a_file_that_is_locked_or_broken_grants_nothing(purse, tmp_path, monkeypatch):
    purse.lease("k", "total", 5, 10)
    monkeypatch.setattr("stepdown.store.spend._BUSY_S", 0.05)
    with (
        closing(sqlite3.connect(tmp_path / "spend.db", isolation_level=None)) as other,
        closing(SqlitePurse(tmp_path / "spend.db")) as second,
    ):
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UsageError):
            second.lease("k", "total", 5, 10)
        other.execute("ROLLBACK")
        assert second.lease("k", "total", 5, 10) == 5
    (tmp_path / "other.db").write_text("x" * 5000)
    with closing(SqlitePurse(tmp_path / "other.db")) as broken, pytest.raises(StepdownError):
        broken.lease("k", "total", 5, 10)


_SHARED = """
import sys
from pathlib import Path
from stepdown.store.spend import SqlitePurse
purse = SqlitePurse(Path(sys.argv[1]))
print(sum(purse.lease("k", "total", 7, 1000) for _ in range(100)))
"""


def test_s16_processes_share_one_cap(tmp_path):
    command = [sys.executable, "-c", _SHARED, str(tmp_path / "spend.db")]
    others = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    granted = [int(process.communicate()[0]) for process in others]
    assert sum(granted) == 1000


_LEASES = """
import sys
from pathlib import Path
from stepdown.store.spend import SqlitePurse
purse = SqlitePurse(Path(sys.argv[1]))
while True:
    print(purse.lease("k", "total", 3, 10**9), flush=True)
"""


def test_s16_what_was_granted_before_a_kill_stays_spent(tmp_path):
    granted = 0
    for _ in range(3):
        command = [sys.executable, "-c", _LEASES, str(tmp_path / "spend.db")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(40):
                granted += int(process.stdout.readline())
            os.kill(process.pid, signal.SIGKILL)
            granted += sum(int(line) for line in process.stdout if line.endswith("\n"))
        spent = read_spending(tmp_path / "spend.db")["k", "total"]
        assert granted <= spent <= granted + 3
        granted = spent
