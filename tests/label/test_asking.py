"""A sitting with a teacher that answers, fails, lies or goes: every try recorded, none lost."""

import asyncio
import json
import time
from collections import Counter

import pytest

from stepdown.core.calls import Usage
from stepdown.core.labels import Failed, Parsed, Sent, Stored
from stepdown.errors import InputError, UpstreamError, UsageError
from stepdown.label import pacing
from stepdown.label.asking import Asker, AskTerms, Question
from stepdown.label.trouble import HOPELESS

USED = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}


def answer(text="yes", usage=USED):
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    return json.dumps({"choices": [choice], "model": "m"} | ({"usage": usage} if usage else {}))


def price(usage, time):
    return usage.input_tokens + 10 * usage.output_tokens


def questions(count, sends=0):
    return [
        Question(f"k{n}", f"q{n}".encode(), Usage(10, 5), f"text {n}", sends) for n in range(count)
    ]


class Teacher:
    """Answers by a script: for each question what each try brings, then "yes"."""

    def __init__(self, script=None, pause=0.0):
        self.script = script or {}
        self.pause = pause
        self.tries = Counter()
        self.at_once = self.most_at_once = 0
        self.before = []

    async def __call__(self, body):
        key = body.decode().replace("q", "k")
        self.before.append(key)
        self.tries[key] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.pause)
        finally:
            self.at_once -= 1
        brings = self.script.get(key, self.script.get("*", []))
        found = brings[self.tries[key] - 1] if self.tries[key] <= len(brings) else answer()
        if isinstance(found, Exception):
            raise found
        return found.encode()


def sit(teacher, asked, commit=None, price=price, judge=None, **terms):
    steps = []

    def keep(batch):
        if commit is not None:
            commit(batch)
        steps.extend(batch)

    told = []
    asker = Asker(
        keep,
        AskTerms(**terms),
        price,
        judge or (lambda text, answer: "answered"),
        lambda sitting: told.append(sum(isinstance(step, Stored) for step in steps)),
    )
    sitting = asyncio.run(asker.ask(iter(asked), teacher))
    return sitting, steps, told


def of(steps, kind):
    return [step for step in steps if isinstance(step, kind)]


def test_each_question_is_recorded_before_it_is_sent_and_stored_before_it_counts():
    recorded = []

    class Watching(Teacher):
        async def __call__(self, body):
            assert body.decode().replace("q", "k") in recorded
            return await super().__call__(body)

    def commit(batch):
        recorded.extend(step.key for step in batch if isinstance(step, Sent))

    judged = []

    def judge(text, answer):
        judged.append((text, answer.text))
        return "answered"

    sitting, steps, told = sit(Watching(pause=0.001), questions(40), commit, judge=judge)
    assert (sitting.outcomes, sitting.calls, sitting.stopped) == ({"answered": 40}, 40, "")
    assert [len(of(steps, kind)) for kind in (Sent, Stored, Parsed, Failed)] == [40, 40, 40, 0]
    assert all(step.usage == Usage(4, 2) and step.cost == 24 for step in of(steps, Stored))
    assert sorted(judged) == sorted((f"text {n}", "yes") for n in range(40))
    assert len(told) == 40
    assert all(stored >= number for number, stored in enumerate(told, 1))
    assert sitting.spent == 40 * 24


def test_one_goes_first_then_as_many_as_allowed():
    teacher = Teacher(pause=0.005)
    sit(teacher, questions(30), concurrency=6)
    assert teacher.most_at_once == 6
    assert teacher.before[0] == "k0"


@pytest.mark.parametrize(
    ("brings", "why", "paid"),
    [
        (UpstreamError("busy", 429, 0.0), "rate limited", False),
        (UpstreamError("busy", 500), "overloaded", False),
        (UpstreamError("gone"), "cut off", None),
        (InputError("?"), "not an answer", True),
        ("<html>hello</html>", "not an answer", True),
        ('{"error": {"message": "no"}}', "not an answer", True),
        ('data: {"choices"', "not an answer", True),
    ],
)
def test_what_brings_no_answer_is_counted_and_tried_again(brings, why, paid):
    sitting, steps, _ = sit(Teacher({"k0": [brings], "k1": [brings] * 9}), questions(3))
    assert sitting.failures == {why: 4}
    assert (sitting.outcomes, sitting.left) == ({"answered": 2}, 1)
    assert {(step.why, step.paid) for step in of(steps, Failed)} == {(why, paid)}
    assert [step.number for step in of(steps, Sent) if step.key == "k1"] == [1, 2, 3]
    held = 0 if paid is False else 4 * (10 + 50)
    assert sitting.spent == 2 * 24 + held


def test_an_answer_that_does_not_come_in_time():
    async def slow(body):
        await asyncio.sleep(5)
        raise AssertionError

    sitting, steps, _ = sit(slow, questions(1), timeout_s=0.01)
    assert sitting.failures == {"no answer in time": 3}
    assert all(step.paid is None for step in of(steps, Failed))
    sitting, steps, _ = sit(slow, questions(1), timeout_s=0.01, hold=True)
    assert (sitting.failures, sitting.left) == ({"no answer in time": 1}, 1)


def test_tries_of_earlier_sittings_are_counted_on_from():
    _, steps, _ = sit(Teacher(), questions(1, sends=2))
    assert [step.number for step in of(steps, Sent)] == [3]


class Out:
    """A teacher that is away from its tenth question on, for so many seconds."""

    def __init__(self, error, seconds):
        self.error, self.seconds = error, seconds
        self.asked, self.since = 0, 0.0

    async def __call__(self, body):
        self.asked += 1
        self.since = self.since or (time.monotonic() if self.asked == 10 else 0.0)
        if self.since and time.monotonic() < self.since + self.seconds:
            raise self.error
        return answer().encode()


GONE = [
    UpstreamError("busy", 429, 0.0),
    UpstreamError("down", 500),
    UpstreamError("down", 502),
    UpstreamError("reset"),
    UpstreamError("refused", unsent=True),
]


@pytest.mark.parametrize("error", GONE)
def test_a_teacher_that_is_away_for_a_moment_is_waited_for(error):
    sitting, _, _ = sit(Out(error, 0.4), questions(200), concurrency=8)
    assert (sitting.outcomes, sitting.left, sitting.stopped) == ({"answered": 200}, 0, "")
    assert sitting.failures.total() <= 8 + 4 + 2


def test_a_teacher_that_stays_away_is_left(monkeypatch):
    monkeypatch.setattr(pacing, "PATIENCE_S", 0.3)
    sitting, _, _ = sit(Out(GONE[2], 1e9), questions(200), concurrency=8)
    assert sitting.stopped == "No answer came for 0 s, the last: down"
    assert sitting.outcomes == {"answered": 9}
    assert sitting.calls < 9 + 8 + 4 + 2 + 2


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_key_that_stops_working_ends_it_at_once(status):
    teacher = Teacher({f"k{n}": [UpstreamError("no", status)] for n in range(20, 99)}, pause=0.002)
    sitting, steps, _ = sit(teacher, questions(99), concurrency=4)
    assert str(status) in sitting.stopped
    assert (sitting.outcomes["answered"], sitting.left) == (20, sitting.calls - 20)
    assert sitting.calls <= 24
    assert len(of(steps, Sent)) == len(of(steps, Stored)) + len(of(steps, Failed))


def test_a_refused_request_is_not_tried_again_and_many_end_it():
    teacher = Teacher({"*": [UpstreamError("temperature is not supported", 400)]})
    sitting, _, _ = sit(teacher, questions(99))
    assert sitting.calls == sitting.left == HOPELESS
    assert "temperature is not supported" in sitting.stopped


def test_what_an_api_says_is_cleaned_before_it_is_told():
    teacher = Teacher({"*": [UpstreamError("you said SECRET", 400)]})
    sitting, _, _ = sit(teacher, questions(99), clean=lambda said: said.replace("SECRET", "…"))
    assert sitting.stopped.endswith("you said …")


def test_a_long_retry_after_ends_it():
    sitting, _, _ = sit(Teacher({"k0": [UpstreamError("busy", 429, 86400.0)]}), questions(9))
    assert "86,400" in sitting.stopped
    assert sitting.calls == 1


@pytest.mark.parametrize("cap", [0, 59, 60, 61, 100, 500, 24 * 30, 10**6])
def test_the_cap_holds_exactly(cap):
    teacher = Teacher(pause=0.001)
    sitting, steps, _ = sit(teacher, questions(30), cap=cap, concurrency=4)
    billed = 24 * sum(teacher.tries.values())
    assert billed == sitting.spent <= cap
    assert sitting.capped == (billed < 24 * 30)
    if sitting.capped:
        assert cap - billed < 60
    assert sum(step.cost or 0 for step in of(steps, Stored)) == billed


def test_what_was_spent_before_counts_against_the_cap():
    sitting, _, _ = sit(Teacher(), questions(9), cap=1000, spent=945)
    assert (sitting.calls, sitting.capped, sitting.spent) == (0, True, 945)


def test_an_answer_without_usage_is_held_at_its_bound():
    teacher = Teacher({"*": [answer(usage=None)]})
    sitting, steps, _ = sit(teacher, questions(9), cap=150)
    assert (sitting.calls, sitting.spent) == (2, 120)
    assert {step.cost for step in of(steps, Stored)} == {None}


def test_a_full_disk_sends_nothing_unrecorded():
    kept = []

    def commit(batch):
        if len(kept) > 20:
            raise UsageError("labels.db can't be written (database or disk is full)")
        kept.extend(batch)

    teacher = Teacher(pause=0.001)
    with pytest.raises(UsageError, match="disk is full"):
        sit(teacher, questions(99), commit, concurrency=3)
    sent = {(step.key, step.number) for step in kept if isinstance(step, Sent)}
    assert {(key, n + 1) for key, tries in teacher.tries.items() for n in range(tries)} <= sent


def test_a_stop_from_outside_waits_for_what_is_under_way():
    steps = []
    asker = Asker(
        steps.extend,
        AskTerms(concurrency=4),
        price,
        lambda text, answer: "answered",
        lambda sitting: asker.stop("by hand") if sitting.outcomes.total() == 10 else None,
    )
    teacher = Teacher(pause=0.005)
    sitting = asyncio.run(asker.ask(iter(questions(99)), teacher))
    assert sitting.stopped == "by hand"
    assert 10 <= sitting.outcomes["answered"] == sitting.calls <= 18
    # Some were recorded before it was their turn, and it is told that they did not go out.
    assert {(step.why, step.paid) for step in of(steps, Failed)} == {("not sent", False)}
    assert len(of(steps, Sent)) == len(of(steps, Parsed)) + len(of(steps, Failed))
    assert sitting.spent == 24 * sitting.calls


def test_a_retry_after_of_centuries_is_told_in_words():
    busy = UpstreamError("busy", 429, 2_300_321_200.0)
    assert "wait more than a day" in sit(Teacher({"*": [busy]}), questions(1))[0].stopped
