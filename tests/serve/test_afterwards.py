"""Work on requests that are over: in batches, bounded, and never felt."""

import threading

from stepdown.serve import afterwards
from stepdown.serve.afterwards import Afterwards, ended
from stepdown.serve.capture import Turn


def over(id="1", **about):
    turn = Turn(id, 1.0, 0.0, "POST", "/chat/completions", [(b"user-agent", b"me")])
    for name, value in about.items():
        setattr(turn, name, value)
    return ended(turn, "/v1/chat/completions", 0.5)


def test_a_caller_who_left_is_a_499_and_names_are_cut():
    one = over(model="m" * 10_000)
    assert (one.status, len(one.model), one.user_agent, one.key) == (499, 200, "me", "")


def test_everything_is_handed_on_in_order_before_the_end():
    seen = []
    after = Afterwards("test", lambda batch: seen.extend(one.id for one in batch))
    for number in range(2000):
        after.add(over(str(number)))
    after.close()
    assert seen == [str(number) for number in range(2000)]


def test_what_does_not_fit_is_dropped_and_counted(monkeypatch):
    monkeypatch.setattr(afterwards, "_MOST_WAITING", 10)
    gate = threading.Event()
    seen = []

    def work(batch):
        gate.wait(10)
        seen.extend(batch)

    after = Afterwards("test", work)
    for _ in range(100):
        after.add(over())
    gate.set()
    after.close()
    assert after.dropped >= 80
    assert len(seen) + after.dropped == 100


def test_failing_work_is_counted_and_goes_on():
    def work(batch):
        raise OSError("no")

    after = Afterwards("test", work)
    after.add(over())
    after.close()
    assert after.failed == 1


def test_work_that_hangs_holds_no_end_up():
    gate = threading.Event()
    after = Afterwards("test", lambda batch: gate.wait(20))
    after.add(over())
    after.close(0.1)
    gate.set()


def test_what_the_work_uses_is_let_go_of_when_it_is_done_and_not_before():
    gate, steps = threading.Event(), []

    def work(batch):
        gate.wait(10)
        steps.append("written")

    after = Afterwards("test", work, lambda: steps.append("closed"))
    after.add(over())
    after.close(0.1)
    assert steps == []
    gate.set()
    after.close(10)
    assert steps == ["written", "closed"]
