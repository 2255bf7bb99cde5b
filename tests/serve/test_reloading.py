"""Settings that a running gateway takes up, as values."""

import asyncio

import pytest

from stepdown.errors import StepdownError, UsageError
from stepdown.serve.chain import chains_of
from stepdown.serve.reloading import no_reload, renewed, retire
from stepdown.serve.settings import Endpoint, Limits, Settings, Timeouts
from stepdown.serve.upstream import Unanswered, Upstream


def test_the_socket_stays_and_nonsense_is_refused():
    old = Settings(port=1, base_url="http://127.0.0.1:1")
    new = Settings(host="0.0.0.0", port=2, base_url="http://127.0.0.1:2", retries=0)
    taken = renewed(old, new)
    assert (taken.host, taken.port, taken.retries) == ("127.0.0.1", 1, 0)
    with pytest.raises(UsageError):
        renewed(old, Settings(base_url="nowhere"))


def test_a_gateway_without_a_file_says_so():
    with pytest.raises(StepdownError, match="start it again"):
        no_reload()


def test_an_upstream_that_is_there_is_kept_once():
    at, other = "http://127.0.0.1:1", "http://127.0.0.1:2"
    first = chains_of(Settings(base_url=at, api_key="a"))
    second = chains_of(
        Settings(base_url=at, api_key="b", fallbacks=(Endpoint(at), Endpoint(other))),
        first.upstreams(),
    )
    one, again, new = (link.upstream for link in second.frontier)
    assert one is first.frontier[0].upstream
    assert len({id(one), id(again), id(new)}) == 3
    assert second.frontier[0].api_key == "b"
    private = chains_of(Settings(base_url=at, allow_private=True), first.upstreams())
    assert private.frontier[0].upstream is not one


def test_an_old_upstream_is_closed_after_its_last_request():
    async def go():
        upstream = Upstream("http://127.0.0.1:1", Limits(), Timeouts())
        await upstream.open()
        upstream.under_way = 1
        task = asyncio.ensure_future(retire(upstream, 0.0))
        await asyncio.sleep(0.05)
        assert not task.done()
        upstream.under_way = 0
        await asyncio.wait_for(task, 5)

    asyncio.run(go())


def test_an_old_upstream_may_still_be_fallen_back_on_and_says_so_when_it_is_closed():
    async def go():
        upstream = Upstream("http://127.0.0.1:1", Limits(), Timeouts())
        await upstream.open()
        task = asyncio.ensure_future(retire(upstream, 60.0))
        await asyncio.sleep(0.05)
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])
        with pytest.raises(Unanswered, match="no longer configured"):
            async with upstream.answer("POST", "/x", [], b"{}", first_byte_s=1.0):
                pass

    asyncio.run(go())
