"""The demo's sums, and its own check of agreement."""

import json

from stepdown.cli.demo.traffic import Reply, _same, summed


def completion(**message):
    return json.dumps({"model": "m", "choices": [{"index": 0, "message": message}]}).encode()


def test_answers_are_compared_field_by_field():
    one = completion(role="assistant", content='{"a": 1, "b": null}')
    assert _same(completion(role="assistant", content='{"b":null,"a":1}'), one)
    assert not _same(completion(role="assistant", content='{"a": 2}'), one)
    text = completion(role="assistant", content="yes")
    assert _same(text, text)
    assert not _same(completion(role="assistant", content="no"), text)


def test_replies_are_summed_by_task_and_all_together():
    replies = [
        Reply("a", "small", "answered", "confident", True, 1.0),
        Reply("a", "small", "answered", "confident", False, 3.0),
        Reply("b", "frontier", "escalated", "low_confidence", True, 9.0),
    ]
    a, b, both = summed(replies)
    assert (a.answered, a.agreed, a.p50_ms, a.upstream_p50_ms) == (2, 1, 2.0, None)
    assert (b.answered, b.p50_ms, b.upstream_p50_ms) == (0, None, 9.0)
    assert (both.requests, both.answered) == (3, 2)
