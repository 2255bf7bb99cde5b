"""D-4: the disk is full for a while: answers go on, what is missing is counted, and it recovers."""

import signal

import pytest
from tests.reliability.faulty import faulty_gateway, in_threads, needs, seconds_until

MB = 2**20


def run(tmp_path, upstream, **more):
    """Fill a gateway's disk under load and free it; returns the statuses and ids of all answers,
    the seconds until it captured again, and what its store held at the end."""
    replies = []
    with faulty_gateway(
        tmp_path / "disk" / "calls.db", upstream.url, disk_bytes=2 * MB, max_items=15, **more
    ) as gateway:

        def some(number):
            replies.extend(gateway.ask("x" * 2000)[:2] for _ in range(20))

        in_threads(some, 2)
        gateway.signal(signal.SIGUSR1)
        in_threads(some, 4)
        seconds_until(lambda: b"can't be written" in gateway.ask(path="/readyz")[2])
        in_threads(some, 4)
        full = len(replies)
        gateway.signal(signal.SIGUSR2)

        def captures():
            replies.append(gateway.ask()[:2])
            return b'"error":""' in gateway.ask(path="/readyz")[2].replace(b" ", b"")

        recovery = seconds_until(captures)
        in_threads(some, 1)
        assert gateway.ask(path="/readyz")[0] == 200
        found = gateway.end()
    assert full == 200
    assert found["sound"] == "ok"
    return replies, recovery, found


@pytest.mark.reliability
def test_d4_a_full_disk_stops_no_answer_and_what_is_missing_is_counted(tmp_path, upstream, figure):
    needs("unshare")
    replies, recovery, found = run(tmp_path, upstream)
    assert {status for status, _ in replies} == {200}
    missing = {call for _, call in replies} - set(found["ids"])
    assert len(missing) == found["dropped"] == found["gaps"] > 0
    assert recovery < 5
    figure(
        f"shed: {len(replies)} answers and no 5xx, {len(missing)} not captured, as many counted "
        f"and marked, captures again {recovery:.1f} s after space came back"
    )


@pytest.mark.reliability
def test_d4_where_nothing_may_be_missing_a_full_disk_refuses(tmp_path, upstream, figure):
    needs("unshare")
    replies, recovery, found = run(tmp_path, upstream, refuses=True)
    statuses = [status for status, _ in replies]
    assert set(statuses) == {200, 503}
    answered = {call for status, call in replies if status == 200}
    assert answered <= set(found["ids"])
    assert (found["dropped"], found["gaps"]) == (0, 0)
    assert recovery < 5
    figure(
        f"refuse: {statuses.count(200)} answered, all captured, {statuses.count(503)} refused by a "
        f"503, answers again after {recovery:.1f} s"
    )
