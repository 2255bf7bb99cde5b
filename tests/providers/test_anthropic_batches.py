"""Message batches over a real socket: found again without a name, and each item's end told."""

import asyncio
import json
import time

import pytest
from tests.providers.fake_apis import fake_apis

from stepdown.core.ports import BatchAnswer
from stepdown.providers.anthropic import PROVIDER
from stepdown.wire.openai import parse_answer


def body(text):
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()


WORDS = {"k1": "say yes", "k2": "bad", "k3": "expire", "k4": "gone", "k5": "refuse", "k6": "busy"}
ITEMS = [(key, body(text)) for key, text in WORDS.items()]
KEYS = WORDS.keys()


def on(root, go):
    async def run():
        async with PROVIDER.batches(root, "key") as batches:
            return await go(batches)

    return asyncio.run(run())


async def ended(batches, id):
    while True:
        state = await batches.state(id)
        if state.ended:
            return state


async def through(batches):
    made = await batches.create("name", ITEMS)
    state = await ended(batches, made.id)
    return state, {one.key: one async for one in batches.answers(made.id)}


@pytest.mark.parametrize(("end", "why"), [("expired", "expired"), ("cancelled", "canceled")])
def test_each_item_has_its_end(end, why):
    with fake_apis() as (fake, root):
        fake.script["end"] = end
        state, answers = on(root, through)
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
        found, other, ours = on(root, go)
        fake.script["page"] = 1
        again = on(root, lambda batches: batches.find("name", KEYS, time.time(), set()))
    assert found == [(ours, False), (other, False), None, (ours, True), None]
    assert again.id == ours


def test_the_address_of_the_results_is_not_taken_from_the_answer():
    with fake_apis() as (fake, root):

        async def go(batches):
            made = await batches.create("name", ITEMS[:1])
            await ended(batches, made.id)
            fake.message_batches[0]["results_url"] = "http://127.0.0.1:1/elsewhere"
            return [one.key async for one in batches.answers(made.id)]

        assert on(root, go) == ["k1"]


def test_what_is_large_goes_up_whole():
    items = [(f"k{n}", body("x " * 50_000 + "yes")) for n in range(20)]

    async def go(batches):
        made = await batches.create("name", items)
        await ended(batches, made.id)
        return {one.key: one.status async for one in batches.answers(made.id)}

    with fake_apis() as (_, root):
        assert on(root, go) == {key: 200 for key, _ in items}
