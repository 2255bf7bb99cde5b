"""The keeper takes out what is too old or forgotten, by a clock of its own, beside the writer."""

import json
import threading
import time
from contextlib import closing

import pytest

from stepdown.core.people import mark_of
from stepdown.core.ports import Exchange
from stepdown.store import keeping
from stepdown.store.keeping import Keeper, expire, sweep
from stepdown.store.reading import read_lines
from stepdown.store.shelves import SqliteShelf
from stepdown.store.sqlite import SqliteOutbox

DAY = 86_400.0


def exchange(number, user="ann", days=0.0):
    line = json.dumps({"id": f"c{number}", "request": {"user": user, "text": f"canary {user}"}})
    return Exchange(f"c{number}", days * DAY, line.encode())


@pytest.fixture
def outbox(tmp_path):
    with closing(SqliteOutbox(tmp_path / "calls.db")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(keeping, "_LOOK_S", 0.01)
    monkeypatch.setattr(keeping, "_EXPIRE_S", 0.01)


def users(outbox):
    found = (json.loads(line)["request"] for line in read_lines(outbox.path))
    return [request and request["user"] for request in found]


def until(so):
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_who_comes_back_after_the_moment_is_kept(outbox):
    outbox.commit([exchange(1), exchange(2, "bob"), exchange(3, days=9), exchange(4, "bob")])
    assert sweep(SqliteShelf(outbox), {mark_of("ann"): 8 * DAY}) == (1, 4)
    assert users(outbox) == ["bob", "ann", "bob"]


def test_p3_calls_expire_by_the_clock_and_not_before(outbox):
    outbox.commit([exchange(n, days=n) for n in range(6)])
    now = [33.5 * DAY]
    with closing(Keeper([SqliteShelf(outbox)], 30 * DAY, dict, print, lambda: now[0])):
        until(lambda: len(users(outbox)) == 2)
        time.sleep(0.1)
        assert len(users(outbox)) == 2
        outbox.commit([exchange(9, days=33)])
        now[0] = 36.0 * DAY
        until(lambda: users(outbox) == ["ann"])
    assert expire(SqliteShelf(outbox), 33.0 * DAY) == 0


def test_p3_somebody_forgotten_is_gone_while_calls_come_in(outbox):
    outbox.commit([exchange(n, "ann" if n % 2 else "bob") for n in range(300)])
    gone, told, stop = {}, [], threading.Event()

    def write():
        number = 1000
        while not stop.is_set():
            outbox.submit(exchange(number := number + 1, "bob", 5.0), lambda durable: None)
            time.sleep(0.002)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with closing(Keeper([SqliteShelf(outbox)], None, lambda: gone, told.append)):
            gone = {mark_of("ann"): 1.0}
            until(lambda: told)
            # What was under way at that moment comes late, and goes as well.
            outbox.submit(exchange(5000, "ann"), lambda durable: None)
            until(lambda: "ann" not in users(outbox))
    finally:
        stop.set()
        writer.join()
    assert told[0] == gone
    assert outbox.health().error == ""
    assert outbox.health().dropped == 0
    assert len([user for user in users(outbox) if user == "bob"]) > 150


def test_a_shelf_that_fails_is_tried_again(outbox, caplog):
    class Broken(SqliteShelf, frozen=True):
        def expire(self, before, limit):
            raise keeping.sqlite3.OperationalError("no disk")

    with closing(Keeper([Broken(outbox)], DAY, dict, print)):
        until(lambda: "no disk" in caplog.text)
        time.sleep(0.1)
    assert caplog.text.count("no disk") == 1


def test_who_was_taken_out_before_the_last_stop_is_not_sought_again(outbox):
    outbox.commit([exchange(1), exchange(2, "bob")])
    gone, told = {mark_of("ann"): 1.0}, []
    with closing(Keeper([SqliteShelf(outbox)], None, lambda: gone, told.append, seen=gone)):
        # What came late is sought all the same.
        until(lambda: users(outbox) == ["bob"])
    assert told == []
