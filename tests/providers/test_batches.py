"""What holds for the batches of every API."""

import pytest
from tests.providers.batched import body, on, through
from tests.providers.fake_apis import fake_apis

from stepdown.providers import anthropic, openai_compatible


@pytest.mark.parametrize("provider", [anthropic.PROVIDER, openai_compatible.PROVIDER])
def test_what_is_large_goes_up_whole(provider):
    items = [(f"k{n}", body("x " * 50_000 + "yes")) for n in range(20)]
    with fake_apis() as (_, root):
        _, _, answers = on(provider, root, lambda batches: through(batches, items))
    assert {key: one.status for key, one in answers.items()} == {key: 200 for key, _ in items}
