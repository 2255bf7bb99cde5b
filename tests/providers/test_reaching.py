"""Lines as they come, cut off or not; and what an API must not make of us."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from stepdown.errors import UpstreamError
from stepdown.providers.reaching import reaching, read, readable


@asynccontextmanager
async def serving(handler):
    app = web.Application()
    app.router.add_get("/v1/it", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with reaching(f"http://127.0.0.1:{runner.addresses[0][1]}", {}, 5.0) as api:
            yield api
    finally:
        await runner.cleanup()


def lines_of(handler):
    async def go():
        async with serving(handler) as api:
            return [line async for line in api.lines("it")]

    return asyncio.run(go())


def test_lines_of_any_length_come_whole():
    long = b"x" * 1_000_000

    async def handler(request):
        return web.Response(body=b"a\n\n" + long + b"\r\n\nlast")

    assert lines_of(handler) == [b"a", long + b"\r", b"last"]


def test_lines_that_are_cut_off_are_an_error_and_no_end():
    async def handler(request):
        answer = web.StreamResponse(headers={"content-length": "100"})
        await answer.prepare(request)
        await answer.write(b"a\nb")
        assert request.transport is not None
        request.transport.close()
        return answer

    with pytest.raises(UpstreamError, match="does not answer"):
        lines_of(handler)


def test_a_redirect_is_not_followed():
    async def handler(request):
        raise web.HTTPFound("http://127.0.0.1:1/elsewhere")

    with pytest.raises(UpstreamError, match="status 302"):
        lines_of(handler)


def test_what_is_something_else():
    assert read(b'{"a":1}', dict) == {"a": 1}
    assert readable(b"no", dict) is None
    with pytest.raises(UpstreamError, match="something else"):
        read(b"[]", dict)
