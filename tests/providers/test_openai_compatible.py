"""Completing requests against a server on loopback, and every way that fails."""

import asyncio
import json

import pytest

from stepdown.core.calls import Answer, Call, Message, Request
from stepdown.errors import UpstreamError
from stepdown.providers.openai_compatible import PROVIDER, OpenAICompatible
from stepdown.providers.recorded import serve_recorded
from stepdown.wire.openai import parse_answer

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "q"}]}
CALL = Call("1", Request("m", (Message("user", "q"),)), Answer("a"), "m")


def complete(root, body, provider=PROVIDER):
    async def go():
        async with provider.connect(root, "key") as ask:
            return await ask(json.dumps(body).encode())

    return asyncio.run(go())


@pytest.mark.parametrize("tail", ["/v1", "/v1/", ""])
def test_an_answer_comes_back_whole(tail):
    with serve_recorded([CALL]) as root:
        answer, _, model = parse_answer(complete(root.removesuffix("/v1") + tail, REQUEST))
    assert (answer.text, model) == ("a", "m")


def test_an_error_status_is_an_upstream_error():
    other = {"model": "m", "messages": [{"role": "user", "content": "unknown"}]}
    with serve_recorded([CALL]) as root, pytest.raises(UpstreamError, match="status 404"):
        complete(root, other)


def test_nobody_there():
    with serve_recorded([CALL]) as root:
        pass
    with pytest.raises(UpstreamError, match="does not answer"):
        complete(root, REQUEST)


def test_too_slow():
    slow = OpenAICompatible(timeout_s=0.05)
    with serve_recorded([CALL], latency_s=0.5) as root, pytest.raises(UpstreamError):
        complete(root, REQUEST, slow)


def test_whether_anything_was_sent_is_known():
    with serve_recorded([CALL]) as root:
        pass
    with pytest.raises(UpstreamError) as nobody:
        complete(root, REQUEST)
    slow = OpenAICompatible(timeout_s=0.05)
    with serve_recorded([CALL], latency_s=0.5) as root, pytest.raises(UpstreamError) as late:
        complete(root, REQUEST, slow)
    with pytest.raises(UpstreamError) as nowhere:
        complete("file:///etc/passwd", REQUEST)
    assert (nobody.value.unsent, late.value.unsent, nowhere.value.unsent) == (True, False, True)


def test_a_flood_is_cut_off(monkeypatch):
    monkeypatch.setattr("stepdown.providers.reaching._LARGEST", 10)
    with serve_recorded([CALL]) as root, pytest.raises(UpstreamError, match="more than any"):
        complete(root, REQUEST)
