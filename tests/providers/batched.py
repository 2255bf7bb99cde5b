"""Batches of any API, as the tests drive them: made in one go on a loop of their own."""

import asyncio
import json


def body(text):
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()


def on(provider, root, go):
    """Return what `go` returns of the provider's batches at that address."""

    async def run():
        async with provider.batches(root, "key") as batches:
            return await go(batches)

    return asyncio.run(run())


async def ended(batches, id):
    """Wait for a batch's end: (its state then, the statuses that it went through)."""
    seen = []
    while True:
        state = await batches.state(id)
        seen.append(state.status)
        if state.ended:
            return state, seen


async def through(batches, items):
    """Run a batch of items: (its state at the end, its statuses, the answers by their keys)."""
    made = await batches.create("name", items)
    state, seen = await ended(batches, made.id)
    return state, seen, {one.key: one async for one in batches.answers(made.id)}
