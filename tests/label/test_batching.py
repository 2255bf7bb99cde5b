"""Sittings with batches, real sockets and a real ledger: nothing is created or paid for twice."""

import asyncio
import json
import random
import sys
import threading
import time
from contextlib import contextmanager, suppress

import pytest
from tests.providers.fake_apis import fake_apis

from stepdown.core.calls import Usage
from stepdown.core.labels import Reserved
from stepdown.core.ports import silent
from stepdown.label import batching
from stepdown.label.asking import AskTerms, Question
from stepdown.label.batching import Batcher, Books
from stepdown.providers.anthropic import PROVIDER as ANTHROPIC
from stepdown.providers.openai_compatible import PROVIDER as OPENAI
from stepdown.store.ledger import Ledger, read_labels, read_spend

MOST = Usage(200, 20)
TERMS = {"address": "a"}
BOTH = pytest.mark.parametrize("provider", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
CREATE = {OPENAI: "POST /v1/batches", ANTHROPIC: "POST /v1/messages/batches"}
LOOK = {OPENAI: "GET /v1/batches/{id}", ANTHROPIC: "GET /v1/messages/batches/{id}"}
RESULTS = {
    OPENAI: "GET /v1/files/{id}/content",
    ANTHROPIC: "GET /v1/messages/batches/{id}/results",
}


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(batching, "_FIRST_LOOK_S", 0.01)
    monkeypatch.setattr(batching, "_SETTLED_S", 0.3)


def price(usage, _):
    return usage.input_tokens + 10 * usage.output_tokens


COST = 200  # of an answer


class Desk:
    """One task's ledger, and sittings with its questions."""

    def __init__(self, path):
        self.path = path
        self.told = []

    def sit(self, provider, root, words, during=None, **terms):
        """One sitting; `during` has the batcher in its hands meanwhile, on another thread."""
        ledger = Ledger(self.path)
        try:
            run = ledger.find("t", "m", TERMS) or ledger.begin("t", "m", TERMS)
            known = {one.reserved.key: one for one in ledger.kept(run.id)}
            keys = [f"{word}-{n}" for n, word in enumerate(words)]
            ledger.commit(run.id, [Reserved(key, key, "random") for key in keys])
            waiting = {one.reserved.key: one for one in ledger.kept(run.id)}
            asked = [
                Question(key, body(key), MOST, sends=waiting[key].sends)
                for key in keys
                if key in waiting and waiting[key].raw is None
            ]
            assert known.keys() <= set(keys) or not known
            books = Books(
                lambda steps: ledger.commit(run.id, steps),
                lambda: ledger.batches("t", "m", "a"),
                ledger.sent_in,
            )
            spent = ledger.spend(run.id).at_most or 0
            batcher = Batcher(
                books,
                AskTerms(spent=spent, **terms),
                price,
                lambda text, answer: "refused" if answer.refusal else "answered",
                lambda sitting: self.told.append(sitting.spent),
                silent,
            )
            try:
                return asyncio.run(self._asked(batcher, provider, root, asked, during))
            except asyncio.CancelledError:
                return batcher.sitting
            finally:
                self.open = ledger.batches("t", "m", "a")
        finally:
            ledger.close()

    async def _asked(self, batcher, provider, root, asked, during):
        async with provider.batches(root, "key") as batches:
            if during is not None:
                loop = asyncio.get_running_loop()
                threading.Thread(target=during, args=(loop, batcher)).start()
            try:
                return await batcher.ask(lambda: iter(asked), batches)
            finally:
                # Their bodies may be as large as a log.
                assert not any(one.body for one in batcher._known.values())

    def labels(self):
        return {one.item: one for one in read_labels(self.path, "t")}

    def spend(self):
        return read_spend(self.path, "t")


def body(key):
    word = key.split("-")[0]
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": word}]}).encode()


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "labels.db")


def when(ready):
    """Wait for something that another thread brings about."""
    for _ in range(2000):
        if ready():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def stop_when(ready):
    def during(loop, batcher):
        when(ready)
        with suppress(RuntimeError):  # it has ended by itself
            loop.call_soon_threadsafe(batcher.stop, "by hand")

    return during


@contextmanager
def hanging(fake, at):
    fake.script["hang"] = at
    yield
    fake.script["hang"] = ""


def created(fake):
    return len(fake.batches) + len(fake.message_batches)


@BOTH
def test_all_that_can_become_of_an_item(desk, provider):
    words = ["yes", "yes", "refuse", "bad", "busy", "gone", "expire"]
    with fake_apis() as (fake, root):
        fake.script["end"] = "expired"
        sitting = desk.sit(provider, root, words)
        assert created(fake) == 3  # what may come yet is asked three times
    assert sitting.outcomes == {"answered": 2, "refused": 1}
    assert sitting.failures == {
        "refused request": 1,
        "rate limited": 3,
        "no result in the batch": 3,
        "not run by the batch": 3,
    }
    assert (sitting.calls, sitting.left, sitting.stopped) == (7 + 3 + 3, 4, "")
    labels = desk.labels()
    assert {one.cost for one in labels.values()} == {COST}
    assert labels["yes-0"].answer.text == "yes"
    assert labels["refuse-2"].outcome == "refused"
    spend = desk.spend()
    most = price(MOST, 0)
    assert (spend.known, spend.answers, spend.unknown) == (3 * COST, 3, 3)
    assert spend.at_most == sitting.spent == 3 * COST + 3 * most


@BOTH
@pytest.mark.parametrize("at", ["before", "after"])
def test_l6_one_whose_id_was_never_heard_is_found_and_not_created_again(desk, provider, at):
    """Broken off before or after the API has created it; the next sitting looks."""
    with fake_apis() as (fake, root):
        with hanging(fake, at):
            ready = (lambda: created(fake)) if at == "after" else (lambda: fake.waiting)
            desk.sit(provider, root, ["yes"] * 3, during=cut_when(ready))
        assert [one.id for one in desk.open] == [""]
        assert created(fake) == (at == "after")
        sitting = desk.sit(provider, root, ["yes"] * 3)
        assert created(fake) == 1
        assert sorted(fake.items) == ["yes-0", "yes-1", "yes-2"]
    assert sitting.outcomes == {"answered": 3}
    assert desk.spend().known == 3 * COST
    assert desk.open == []


@BOTH
def test_l6_one_that_is_created_after_we_are_gone_is_found(desk, provider, monkeypatch):
    monkeypatch.setattr(batching, "_SETTLED_S", 20.0)
    with fake_apis() as (fake, root):
        with hanging(fake, "late"):
            desk.sit(provider, root, ["yes"], during=cut_when(lambda: fake.waiting))
        assert created(fake) == 0
        assert desk.sit(provider, root, ["yes"]).outcomes == {"answered": 1}
        when(lambda: not fake.waiting)
        time.sleep(0.1)
        assert created(fake) == 1


def cut_when(ready):
    """Break a sitting off where it stands, as a kill does."""

    def during(loop, batcher):
        when(ready)
        with suppress(RuntimeError):  # it has ended by itself
            for task in asyncio.all_tasks(loop):
                loop.call_soon_threadsafe(task.cancel)

    return during


@BOTH
@pytest.mark.parametrize("failing", ["before", "after"])
def test_an_error_at_creation_is_no_reason_to_create_another(desk, provider, failing):
    def mend(loop, batcher):
        when(lambda: fake.failed)
        fake.script["fail"] = {}

    with fake_apis() as (fake, root):
        fake.script["fail"] = {CREATE[provider]: failing}
        sitting = desk.sit(provider, root, ["yes"], during=mend)
        assert created(fake) == 1
    assert sitting.outcomes == {"answered": 1}


def test_what_is_refused_at_creation_was_not_paid_for(desk):
    with fake_apis() as (fake, root):
        sitting = desk.sit(OPENAI, f"{root}/else", ["yes"], cap=10**6)
        assert "status 404" in sitting.stopped or "no such" in sitting.stopped
        assert (sitting.spent, created(fake), desk.open) == (0, 0, [])
        assert desk.sit(OPENAI, root, ["yes"]).outcomes == {"answered": 1}
    assert desk.spend().unknown == 0


@BOTH
def test_the_cap_holds_and_what_comes_back_cheaper_is_asked_with(desk, provider):
    most = price(MOST, 0)
    with fake_apis() as (fake, root):
        sitting = desk.sit(provider, root, ["yes"] * 10, cap=4 * most)
        assert created(fake) == 3
        assert sorted(fake.items) == [f"yes-{n}" for n in range(7)]
        assert sitting.spent == desk.spend().known == 7 * COST <= 4 * most
        assert (sitting.capped, sitting.stopped) == (True, "the cap is reached")
        again = desk.sit(provider, root, ["yes"] * 10, cap=4 * most)
        assert (created(fake), again.calls) == (3, 0)


@BOTH
def test_many_are_several_batches(desk, provider, monkeypatch):
    size = len(body("yes-0")) + len("yes-0") + batching._AROUND
    monkeypatch.setattr(batching, "MOST_BYTES", 4 * size)
    with fake_apis() as (fake, root):
        sitting = desk.sit(provider, root, ["yes"] * 10)
        assert created(fake) == 3
    assert sitting.outcomes == {"answered": 10}


@BOTH
def test_one_that_is_stopped_goes_on_without_us(desk, provider):
    with fake_apis() as (fake, root):
        fake.script["polls"] = 10**6
        ready = lambda: fake.looks > 2  # noqa: E731
        sitting = desk.sit(provider, root, ["yes"] * 3, during=stop_when(ready))
        assert (sitting.stopped, sitting.outcomes) == ("by hand", {})
        assert len(desk.open) == 1
        fake.script["polls"] = 1
        more = desk.sit(provider, root, ["yes"] * 5)
        assert created(fake) == 2
        assert sorted(fake.items) == [f"yes-{n}" for n in range(5)]
    assert more.outcomes == {"answered": 5}
    assert desk.spend().known == 5 * COST


def test_one_that_the_api_would_not_run_says_why(desk):
    with fake_apis() as (fake, root):
        fake.script["end"] = "invalid"
        sitting = desk.sit(OPENAI, root, ["yes", "yes"])
        assert created(fake) == 1
        again = desk.sit(OPENAI, root, ["yes"] * 2, clean=lambda said: said.replace("file", "…"))
    assert sitting.stopped == "The API would not run the batch: The file is not valid."
    assert again.stopped == "The API would not run the batch: The … is not valid."
    assert (desk.spend().at_most, desk.open) == (0, [])


@BOTH
def test_results_that_are_cut_off_are_read_again(desk, provider):
    def mend(loop, batcher):
        when(lambda: fake.failed > 1)
        fake.script["fail"] = {}

    with fake_apis() as (fake, root):
        fake.script["fail"] = {RESULTS[provider]: "cut"}
        sitting = desk.sit(provider, root, ["yes"] * 40, during=mend)
        assert created(fake) == 1
    assert sitting.outcomes == {"answered": 40}
    assert sitting.spent == desk.spend().known == 40 * COST


@BOTH
def test_looks_that_fail_are_taken_again(desk, provider):
    def mend(loop, batcher):
        when(lambda: fake.failed > 2)
        fake.script["fail"] = {}

    with fake_apis() as (fake, root):
        fake.script["fail"] = {LOOK[provider]: "before"}
        assert desk.sit(provider, root, ["yes"], during=mend).outcomes == {"answered": 1}
        assert created(fake) == 1


@BOTH
def test_an_api_that_stays_down_ends_the_sitting_and_not_the_batch(desk, provider, monkeypatch):
    monkeypatch.setattr(batching, "_LAST_LOOK_S", 0.01)
    with fake_apis() as (fake, root):
        fake.script["fail"] = {LOOK[provider]: "before"}
        assert "status 500" in desk.sit(provider, root, ["yes"]).stopped
        fake.script["fail"] = {}
        assert desk.sit(provider, root, ["yes"]).outcomes == {"answered": 1}
        assert created(fake) == 1


@BOTH
def test_one_that_is_gone_is_an_unknown_outcome(desk, provider, monkeypatch):
    monkeypatch.setattr(batching, "_LONG_AGO_S", -1.0)

    def lose(loop, batcher):
        when(lambda: created(fake))
        fake.batches.clear()
        fake.message_batches.clear()

    with fake_apis() as (fake, root):
        fake.script["polls"] = 5
        sitting = desk.sit(provider, root, ["yes"], during=lose, hold=True)
        assert sitting.failures == {"batch is gone": 1}
        assert (sitting.left, created(fake), desk.spend().unknown) == (1, 0, 1)
        assert desk.sit(provider, root, ["yes"]).outcomes == {"answered": 1}


@BOTH
def test_results_that_are_gone_are_unknown_outcomes(desk, provider, monkeypatch):
    monkeypatch.setattr(batching, "_LONG_AGO_S", -1.0)
    with fake_apis() as (fake, root):
        fake.script["fail"] = {RESULTS[provider]: "gone"}
        sitting = desk.sit(provider, root, ["yes"] * 2, hold=True)
    assert sitting.failures == {"batch is gone": 2}
    assert (desk.spend().unknown, desk.open) == (2, [])


@BOTH
def test_one_that_is_not_there_yet_is_waited_for(desk, provider):
    def mend(loop, batcher):
        when(lambda: fake.failed > 2)
        fake.script["fail"] = {}

    with fake_apis() as (fake, root):
        fake.script["fail"] = {LOOK[provider]: "gone"}
        assert desk.sit(provider, root, ["yes"], during=mend).outcomes == {"answered": 1}
        assert created(fake) == 1


@BOTH
def test_one_who_says_to_wait_for_hours_is_left_for_later(desk, provider):
    with fake_apis() as (fake, root):
        fake.script["fail"] = {CREATE[provider]: "later"}
        sitting = desk.sit(provider, root, ["yes"])
        assert "status 429" in sitting.stopped
        assert (created(fake), desk.open, desk.spend().at_most) == (0, [], 0)


def test_what_the_api_has_no_counterpart_for_is_told_and_blocks_nothing(desk, monkeypatch):
    odd = json.dumps({"model": "m", "messages": [{"role": "critic", "content": "no"}]}).encode()
    monkeypatch.setattr(sys.modules[__name__], "body", lambda key: odd)
    with fake_apis() as (fake, root):
        assert "role 'critic'" in desk.sit(ANTHROPIC, root, ["yes"]).stopped
        assert (created(fake), desk.open, desk.spend().at_most) == (0, [], 0)


@pytest.mark.reliability
@pytest.mark.parametrize("seed", range(16))
def test_l6_sittings_that_end_in_any_way(desk, monkeypatch, figure, seed):
    """Sittings cut off, stopped or failed at random moments: every item is run and paid once."""
    monkeypatch.setattr(batching, "_SETTLED_S", 1.0)
    monkeypatch.setattr(batching, "_LAST_LOOK_S", 0.03)
    dice = random.Random(seed)
    provider, count = dice.choice([OPENAI, ANTHROPIC]), dice.randint(1, 12)
    monkeypatch.setattr(batching, "MOST_BYTES", dice.choice([10**8, 900]))
    with fake_apis() as (fake, root):
        for _ in range(dice.randint(1, 5)):
            desk.sit(provider, root, ["yes"] * count, during=mishap(fake, provider, dice))
            fake.script |= {"hang": "", "fail": {}}
        for _ in range(3):  # what was looked for in vain is asked for in the next
            desk.sit(provider, root, ["yes"] * count)
        time.sleep(0.4)  # one that was asked for late is created by then
    assert fake.ordered() == sorted(desk.labels()) == sorted(f"yes-{n}" for n in range(count))
    assert desk.spend().known == desk.spend().at_most == count * COST
    assert desk.open == []
    figure("16 series of sittings cut off, stopped or failed at random: every item paid once")


def mishap(fake, provider, dice):
    """Script what happens to a sitting, and return what happens during it."""
    kind = dice.choice(["before", "after", "late", "stop", "cut", "fail", "none"])
    moment, waiting, began = dice.random() * 0.3, fake.waiting, time.monotonic()
    fake.script["polls"] = dice.randint(0, 3)
    if kind in ("before", "after", "late"):
        fake.script["hang"] = kind
        return cut_when(lambda: fake.waiting > waiting or time.monotonic() - began > 2)
    if kind == "fail":
        where = dice.choice([CREATE, LOOK, RESULTS])[provider]
        fake.script["fail"] = {where: dice.choice(["before", "after"])}
        return lambda loop, batcher: time.sleep(moment) or fake.script.update(fail={})
    if kind == "none":
        return None
    ends = stop_when if kind == "stop" else cut_when
    return ends(lambda: time.monotonic() - began > moment)


def test_somebody_elses_of_the_same_size_is_waited_for_and_left_alone(desk):
    with fake_apis() as (fake, root):
        with hanging(fake, "before"):
            desk.sit(ANTHROPIC, root, ["yes"] * 2, during=cut_when(lambda: fake.waiting))
        other = Desk(desk.path.with_name("other.db"))
        fake.script["polls"] = 10**6
        ready = lambda: fake.looks > 1  # noqa: E731
        other.sit(ANTHROPIC, root, ["no", "no"], during=stop_when(ready))
        fake.script["polls"] = 3
        sitting = desk.sit(ANTHROPIC, root, ["yes"] * 2)
        assert created(fake) == 2
    assert sitting.outcomes == {"answered": 2}
    assert sitting.failures == {"batch not created": 2}
    assert (desk.spend().known, desk.spend().unknown) == (2 * COST, 0)


@BOTH
def test_what_ends_a_sitting_one_by_one_ends_it_in_batches_too(desk, provider):
    with fake_apis() as (fake, root):
        denied = desk.sit(provider, root, ["yes", "denied", "busy"])
        assert "does not know the key (status 401)" in denied.stopped
        assert created(fake) == 1  # and the busy one is not asked again
        assert denied.outcomes == {"answered": 1}


@BOTH
def test_twenty_in_a_row_without_an_answer_end_it_in_batches_too(desk, provider):
    with fake_apis() as (fake, root):
        few = desk.sit(provider, root, ["yes", *["bad"] * 19])
        assert (few.stopped, few.left) == ("", 19)
    with fake_apis() as (fake, root):
        sitting = desk.sit(provider, root, ["yes", *["bad"] * 20, "busy"])
        assert sitting.stopped.startswith("20 questions in a row brought no answer, the last: ")
        assert created(fake) == 1


def test_what_is_told_as_spent_is_without_what_is_under_way(desk):
    """As of questions that go out one by one, also of a batch that is taken up again."""
    with fake_apis() as (fake, root):
        fake.script["polls"] = 10**6
        left = desk.sit(OPENAI, root, ["yes"] * 3, during=stop_when(lambda: created(fake)))
        assert (left.calls, left.spent) == (3, 0)
        assert desk.spend().at_most == 3 * price(MOST, 0)
        fake.script["polls"] = 1
        assert desk.sit(OPENAI, root, ["yes"] * 3).spent == 3 * COST
    assert desk.told == [3 * COST]
