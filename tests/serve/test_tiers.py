"""Which tier a call of no known task has, and where its conversation stays."""

import json

from tests.serve.conftest import untasked

from stepdown.serve.chain import chains_of
from stepdown.serve.gateway import new_turn
from stepdown.serve.settings import Endpoint, Routing, Settings
from stepdown.serve.tiers import Conversations, frontier_only, place
from stepdown.wire.openai import parse_request


def test_images_stay_at_the_frontier():
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    document = {"type": "file", "file": {"file_data": "data:text/plain;base64,aGVsbG8="}}
    for content, only in ((image, True), (document, True), ("easy", False)):
        text = {"type": "text", "text": "easy"}
        asked = untasked([content, text] if only else content, n=1)
        body = json.dumps(asked).encode()
        assert frontier_only(parse_request(body, documents=True), body) is only


def test_conversations_are_bounded_and_end():
    now = [0.0]
    kept = Conversations(2, 10.0, lambda: now[0])
    for name in (b"a", b"b", b"c"):
        kept.answered(name, "mid")
    assert [kept.tier(name) for name in (b"a", b"b", b"c")] == [None, "mid", "mid"]
    kept.answered(b"b", "small")
    assert kept.tier(b"b") == "mid"
    now[0] = 11.0
    assert kept.tier(b"b") is None
    kept.answered(b"b", "small")
    assert kept.tier(b"b") == "small"


def test_a_score_that_breaks_is_no_score(routed, complete):
    def broken(request):
        raise RuntimeError

    for wrong in (broken, lambda request: float("nan"), lambda request: 7.0):
        found = Routing(wrong)
        asked = parse_request(json.dumps(untasked("easy")).encode())
        chains = chains_of(Settings(base_url="http://f", mid=Endpoint("http://m", general=True)))
        turn = new_turn("POST", "/chat/completions", [])
        assert place(turn, asked, found, chains, Conversations(1, 1)).tier == "frontier"
