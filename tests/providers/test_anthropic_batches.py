"""Message batches over a real socket: found again without a name, and each item's end told."""

import time

import pytest
from tests.providers.batched import body, ended, on, through
from tests.providers.fake_apis import fake_apis

from stepdown.core.ports import BatchAnswer
from stepdown.providers.anthropic import PROVIDER
from stepdown.wire.openai import parse_answer

WORDS = {"k1": "say yes", "k2": "bad", "k3": "expire", "k4": "gone", "k5": "refuse", "k6": "busy"}
ITEMS = [(key, body(text)) for key, text in WORDS.items()]
KEYS = WORDS.keys()


@pytest.mark.parametrize(("end", "why"), [("expired", "expired"), ("cancelled", "canceled")])
def test_each_item_has_its_end(end, why):
    with fake_apis() as (fake, root):
        fake.script["end"] = end
        state, _, answers = on(PROVIDER, root, lambda batches: through(batches, ITEMS))
    assert state.status == "ended"
    assert state.done == 5
    assert answers.keys() == KEYS - {"k4"}
    said = {key: one.body and parse_answer(one.body)[0] for key, one in answers.items()}
    assert said["k1"].text == "yes"
    assert said["k5"].refusal
    assert (answers["k2"].status, answers["k6"].status) == (400, 429)
    assert answers["k2"].why == "invalid_request_error: bad"
    assert answers["k3"] == BatchAnswer("k3", None, None, why)


def test_one_that_runs_is_known_by_its_time_and_size_until_it_has_ended():
    async def go(batches):
        since = time.time()
        await batches.create("name", ITEMS[:2])
        other = await batches.create("name", [("x" + key, body) for key, body in ITEMS])
        ours = await batches.create("name", ITEMS)
        found = [await batches.find("name", KEYS, since, set())]
        found += [await batches.find("name", KEYS, since, {ours.id})]
        await ended(batches, other.id)
        found += [await batches.find("name", KEYS, since, {ours.id})]
        await ended(batches, ours.id)
        found += [await batches.find("name", KEYS, since, set())]
        found += [await batches.find("name", KEYS, since + 7200, set())]
        return [one and (one.id, one.sure) for one in found], other.id, ours.id

    with fake_apis() as (fake, root):
        found, other, ours = on(PROVIDER, root, go)
        fake.script["page"] = 1
        again = on(PROVIDER, root, lambda batches: batches.find("name", KEYS, time.time(), set()))
    assert found == [(ours, False), (other, False), None, (ours, True), None]
    assert again.id == ours


def test_the_address_of_the_results_is_not_taken_from_the_answer():
    with fake_apis() as (fake, root):

        async def go(batches):
            made = await batches.create("name", ITEMS[:1])
            await ended(batches, made.id)
            fake.message_batches[0]["results_url"] = "http://127.0.0.1:1/elsewhere"
            return [one.key async for one in batches.answers(made.id)]

        assert on(PROVIDER, root, go) == ["k1"]
