"""L-3: labelling killed at each time that it waits for the disk, and met by a full disk."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from tests.reliability.faulty import needs
from tests.reliability.paying import payer

ITEMS = 12
NO_DATASET = 1  # so few answers make none, and the command says so
"""More than the thread that opens the ledger has waits: each thread's are counted for itself."""

MB = 2**20


def run_command(run, before=(), *options):
    """Run the command under a fault; returns how it ended, -9 where the fault killed it."""
    given = [*before, sys.executable, "-m", "stepdown"]
    given += run.arguments("--json", "--yes", "--concurrency", 1, *options)
    done = subprocess.run(
        given, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def killing_at(number):
    """Return the command that kills another at a thread's so-manieth wait for the disk."""
    fault = f"fdatasync:signal=SIGKILL:when={number}"
    return ("strace", "-f", "-o", "/dev/null", "--trace=fdatasync", f"--inject={fault}")


def items_of(run):
    """Return each item's state and raw response, after a look at the whole file."""
    with closing(sqlite3.connect(run.ledger)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        try:
            return connection.execute("SELECT item, state, raw FROM items").fetchall()
        except sqlite3.OperationalError:  # it was killed before there was a table
            return []


@pytest.mark.nightly
def test_l3_killed_at_any_fsync_no_item_is_stored_twice_or_without_bytes(tmp_path, figure):
    needs("strace")
    points, duplicates = 0, 0
    with payer(tmp_path, ITEMS) as run:
        for number in range(1, 80):
            run.teacher.bill.clear()
            for path in run.ledger.parent.glob("labels.db*"):
                path.unlink()
            status = run_command(run, killing_at(number)).returncode
            if status == NO_DATASET:
                break
            assert status in (-signal.SIGKILL, 128 + signal.SIGKILL)
            points += 1
            before = items_of(run)
            assert all(raw for _, state, raw in before if state in ("stored", "parsed"))
            stored = sum(raw is not None for _, _, raw in before)
            done = run_command(run)
            assert done.returncode == NO_DATASET, done.stderr
            assert len(run.labels()) == len({one.item for one in run.labels()}) == ITEMS
            calls = run.teacher.calls
            assert len(calls) == ITEMS <= calls.total() <= ITEMS + 1
            assert calls.total() - ITEMS <= run.spend().unknown <= 1
            duplicates += calls.total() - ITEMS
            assert json.loads(done.stdout)["calls"] == ITEMS - stored
        else:
            pytest.fail("it never ended by itself")
    assert points > ITEMS
    figure(f"killed at each of {points} fdatasyncs: {duplicates} calls twice, 0 labels twice")


FILL = """
import os, sys
def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
fill(sys.argv[1])
"""


@pytest.mark.reliability
def test_l3_a_full_disk_loses_nothing_and_sends_nothing_unrecorded(tmp_path, figure):
    needs("unshare")
    with payer(tmp_path, 400, latency=0.01) as run:
        disk = tmp_path / "disk"
        disk.mkdir()
        # The ledger's folder is a small disk, that is filled when half of the answers are there.
        script = f"""
mount -t tmpfs -o size=24m tmpfs {disk} && cp -r {tmp_path}/ws {disk}/ws || exit 99
run() {{ {sys.executable} -m stepdown "$@" --workspace {disk}/ws; }}
read go
run "$@" & pid=$!
read fill
{sys.executable} -c '{FILL}' {disk}/fill
wait $pid; echo "first $?"
cp {disk}/ws/labels.db* {tmp_path}/
rm {disk}/fill
run "$@"; echo "second $?"
cp {disk}/ws/labels.db* {tmp_path}/ws/
"""
        given = [one for one in run.arguments("--yes", "--concurrency", 4)]
        at = given.index("--workspace")
        del given[at : at + 2]
        running = subprocess.Popen(
            ["unshare", "-m", "bash", "-c", script, "bash", *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"NO_COLOR": "1"},
        )

        def half(number):
            if number == 150:
                os.write(running.stdin.fileno(), b"fill\n")

        run.teacher.after = half
        os.write(running.stdin.fileno(), b"go\n")
        out = running.stdout.read()
        running.stdin.close()
        running.stdout.close()
        running.wait()
        assert "first 1" in out, out
        assert "second 0" in out, out
        assert "The disk is full" in out
        calls = run.teacher.calls
        assert len(run.labels()) == len(calls) == calls.total() == 400
        assert (run.spend().known, run.spend().unknown) == (run.teacher.billed, 0)
        figure("a full disk half-way: 400 labels, 400 calls, the bill exact")
