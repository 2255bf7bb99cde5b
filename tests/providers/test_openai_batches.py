"""OpenAI's batches over a real socket: created once, found again, and each item's end told."""

import json
import time

import pytest
from tests.providers.batched import body, ended, on, through
from tests.providers.fake_apis import fake_apis

from stepdown.core.ports import BatchAnswer
from stepdown.errors import UpstreamError
from stepdown.providers.openai_compatible import PROVIDER
from stepdown.wire.openai import parse_answer

ITEMS = [("k1", body("say yes")), ("k2", body("bad")), ("k3", body("expire")), ("k4", body("gone"))]
KEYS = {key for key, _ in ITEMS}


def test_each_item_has_its_end():
    with fake_apis() as (fake, root):
        fake.script["end"] = "expired"
        state, seen, answers = on(PROVIDER, root, lambda batches: through(batches, ITEMS))
        sent = [json.loads(line) for line in fake.files["file-0"].splitlines()]
    assert seen == ["in_progress", "finalizing", "expired"]
    assert (state.done, state.total) == (3, 4)
    assert sent[0]["body"] == json.loads(ITEMS[0][1])
    assert answers.keys() == {"k1", "k2", "k3"}
    said = answers["k1"].body
    assert said is not None
    assert parse_answer(said)[0].text == "yes"
    assert (answers["k2"].body, answers["k2"].status) == (None, 400)
    assert answers["k3"] == BatchAnswer("k3", None, None, "This request was not run.")


def test_a_file_that_is_refused_says_why():
    with fake_apis() as (_, root):
        state = on(PROVIDER, root, lambda batches: twice(batches))
    assert (state.status, state.ended) == ("failed", True)
    assert "not unique" in state.why


async def twice(batches):
    made = await batches.create("name", [ITEMS[0], ITEMS[0]])
    return (await ended(batches, made.id))[0]


def test_a_batch_is_found_by_its_name_on_whatever_page():
    async def go(batches):
        made = [await batches.create(f"name{n}", ITEMS[:1]) for n in range(5)]
        found = await batches.find("name1", KEYS, time.time(), set())
        none = await batches.find("name9", KEYS, time.time(), set())
        return made, found, none

    with fake_apis() as (fake, root):
        fake.script["page"] = 2
        made, found, none = on(PROVIDER, root, go)
    assert found is not None
    assert found.id == made[1].id
    assert none is None


def test_old_pages_are_not_looked_through():
    with fake_apis() as (fake, root):
        for _ in range(3):
            on(PROVIDER, root, lambda batches: batches.create("name", ITEMS[:1]))
        fake.script["page"] = 1
        for batch in fake.batches:
            batch["created_at"] -= 10 * 3600
        found = on(PROVIDER, root, lambda batches: batches.find("other", KEYS, time.time(), set()))
    assert found is None


def test_an_address_without_batches_says_so():
    with fake_apis() as (_, root), pytest.raises(UpstreamError, match="status 404"):
        on(PROVIDER, f"{root}/else", lambda batches: batches.create("name", ITEMS))
