"""What is captured: a native log line, before the last byte, and never a key."""

import asyncio
import json
import sqlite3
from contextlib import closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.ports import Exchange
from stepdown.core.redaction import redactor
from stepdown.core.routes import Decision
from stepdown.serve.capture import Capture, exchange_of, one_line, quoted
from stepdown.serve.gateway import new_turn
from stepdown.store.drain import DrainedHealth
from stepdown.store.sqlite import Health


def test_the_line_of_an_answer(start, world, complete, body):
    start()
    sent = body(metadata={"stepdown_task": "intents"})
    reply = complete(json.dumps(sent, indent=2).encode(), {"authorization": "Bearer sk-secret"})
    (line,) = world.lines()
    assert line["id"] == reply.headers["x-stepdown-request-id"]
    assert line["request"] == sent
    assert line["response"] == reply.json()
    assert line["time"].endswith("Z")
    assert line["latency_ms"] > 0
    assert line["metadata"] == {"stepdown_task": "intents"}
    assert line["stepdown"] == {
        "tier": "small",
        "task": "id-intents",
        "decision": "answered",
        "reason": "confident",
        "student": "student-1",
        "confidence": 0.99,
        "model": "stepdown/intents",
        "estimated": True,
    }


def test_p1_no_key_in_the_store(start, world, complete, body):
    start(api_key="sk-ours")
    for user in ("hello", "hm"):
        for stream in (False, True):
            headers = {"authorization": "Bearer sk-secret", "x-api-key": "sk-secret"}
            complete(body(user, stream=stream), headers)
    world.stop()
    stored = b"".join(file.read_bytes() for file in world.path.parent.glob("calls.db*"))
    assert b"from up there" in stored
    assert b"sk-" not in stored


class SlowOutbox:
    """Settles when told to."""

    def __init__(self):
        self.done = lambda durable: None

    def commit(self, exchanges):
        return False

    def submit(self, exchange, done):
        self.done = done
        return False


def test_the_answer_waits_for_the_outbox_but_not_for_long():
    outbox = SlowOutbox()
    exchange = Exchange("1", 0.0, b"{}")

    async def go(commit_s, settle):
        keeping = asyncio.ensure_future(Capture(outbox, commit_s, redactor([])).keep(exchange))
        await asyncio.sleep(0)
        waited = not keeping.done()
        if settle:
            outbox.done(True)
        assert await asyncio.wait_for(keeping, 5) is settle
        outbox.done(True)  # late news does no harm
        return waited

    assert asyncio.run(go(60.0, settle=True))
    assert asyncio.run(go(0.01, settle=False))
    outbox.done(True)  # not even after the loop is closed


class CountingOutbox:
    """Notes what was committed together; `takes` says whether it is quick enough."""

    def __init__(self, takes=True):
        self.takes = takes
        self.commits = []
        self.submitted = []

    def commit(self, exchanges):
        self.commits.append([one.id for one in exchanges])
        return self.takes

    def submit(self, exchange, done):
        self.submitted.append(exchange.id)
        return True


def kept_together(outbox, *turns, leave=()):
    """Keep exchanges of these ids, each group in one turn of the loop; some callers leave."""

    async def go():
        capture = Capture(outbox, 60.0, redactor([]))
        for ids in turns:
            keeping = {
                id: asyncio.ensure_future(capture.keep(Exchange(id, 0.0, b"{}"))) for id in ids
            }
            await asyncio.sleep(0)
            for id in leave:
                keeping[id].cancel()
            done, _ = await asyncio.wait(keeping.values(), timeout=5)
            assert len(done) == len(ids)

    asyncio.run(go())


class OutboxOf:
    """An outbox that does nothing but tell its health."""

    def __init__(self, health):
        self._health = health

    def health(self):
        return self._health


def counts(health):
    return Capture(OutboxOf(health), 60.0, redactor([])).counts()


def test_all_that_an_outbox_knows_of_itself_is_counted():
    told = counts(DrainedHealth(1, 2, 3, 4, "", moved=5, behind=6, behind_bytes=7))
    flags = {"capture_withheld": 0, "capture_failing": 0, "capture_store_failing": 0}
    numbers = dict(committed=1, dropped=2, waiting=3, waiting_bytes=4)
    numbers |= dict(moved=5, behind=6, behind_bytes=7)
    assert told == {f"capture_{name}": number for name, number in numbers.items()} | flags
    assert set(DrainedHealth.__struct_fields__) - {*numbers} == {"error", "full", "store_error"}
    assert counts(Health(0, 0, 0, 0, "no space left"))["capture_failing"] == 1
    assert counts(Health(0, 0, 0, 0, "", full=True))["capture_failing"] == 1
    assert "capture_store_failing" not in counts(Health(0, 0, 0, 0, ""))
    behind = counts(DrainedHealth(0, 0, 0, 0, "", store_error="down"))
    assert (behind["capture_failing"], behind["capture_store_failing"]) == (0, 1)


def test_what_comes_in_one_turn_of_the_loop_shares_a_commit():
    outbox = CountingOutbox()
    kept_together(outbox, "a", "bcd", "e", "fg")
    assert outbox.commits == [["a"], ["b"], ["c", "d"], ["e"], ["f"], ["g"]]
    assert outbox.submitted == []


def test_what_is_not_committed_at_once_is_handed_over():
    outbox = CountingOutbox(takes=False)
    kept_together(outbox, "abc", leave="c")
    assert sorted(outbox.submitted) == ["a", "b", "c"]


def test_a_failing_outbox_leaves_nobody_waiting():
    outbox = CountingOutbox()

    def fail(exchanges):
        if len(exchanges) > 1:
            raise UnicodeEncodeError("utf-8", "", 0, 1, "no")
        return True

    outbox.commit = fail
    kept_together(outbox, "abc")
    assert sorted(outbox.submitted) == ["b", "c"]


def test_a_failure_keeps_its_cause_and_what_had_come():
    turn = new_turn("POST", "/chat/completions", [])
    turn.body = b"{}"
    turn.decision = Decision("escalated", "novel", "frontier", "t", "s", 0.1)
    exchange = exchange_of(turn, 12.3456, None, {"status": 502}, {"choices": []})
    line = json.loads(exchange.line)
    assert (line["response"], line["error"], line["latency_ms"]) == (None, {"status": 502}, 12.346)
    assert line["stepdown"]["partial"] == {"choices": []}
    assert (exchange.tier, exchange.reason, exchange.confidence) == ("frontier", "novel", 0.1)


json_values = st.recursive(
    st.none() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values, st.sampled_from([None, 1, 4]))
def test_a_line_is_one_line_and_means_the_same(value, indent):
    data = bytes(one_line(json.dumps(value, indent=indent).replace("\n", "\r\n").encode()))
    assert b"\n" not in data
    assert json.loads(data) == value


@given(st.binary())
def test_any_bytes_can_be_quoted(data):
    assert len(quoted(data * 100)) <= 2000


@contextmanager
def locked(path):
    """A store that can't be written, as when the disk is full."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.parametrize(("refuses", "status"), [(True, 503), (False, 200)])
def test_d4_what_cannot_be_captured_is_refused_or_shed(
    start, world, complete, body, wait, refuses, status
):
    start(refuses_uncaptured=refuses)
    assert complete(body()).status == 200
    with locked(world.path):
        for _ in range(2):
            reply = complete(body())
            assert reply.status == status
            if refuses:
                assert reply.json()["error"]["code"] == "capture_unavailable"
                assert reply.headers["retry-after"] == "2"
    wait(lambda: complete(body()).status == 200)


@pytest.mark.parametrize("durability", ["journal", "sync"])
@pytest.mark.parametrize("asked", [("hello", False), ("hello", True), ("hm", False), ("hm", True)])
def test_d4_the_call_that_finds_out_is_not_acknowledged_either(
    start, world, complete, body, asked, durability
):
    """By a student or relayed, streamed or not: an answer that was not captured is none."""
    user, stream = asked
    start(refuses_uncaptured=True, durability=durability)
    with locked(world.path):
        reply = complete(body(user, stream=stream))
    if user == "hm" and stream:
        # Its head is gone already: it ends by an error.
        assert b"can't record" in reply.body
        assert b"[DONE]" not in reply.body
    else:
        assert reply.status == 503
        assert reply.json()["error"]["code"] == "capture_unavailable"
