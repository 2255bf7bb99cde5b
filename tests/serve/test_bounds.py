"""The most that a request can cost: above every count, told for every dialect, never evaded."""

import json

import pytest

from stepdown.core.calls import Usage
from stepdown.serve.bounds import most_of


def most(**body):
    return most_of(json.dumps(body).encode(), 1000)


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({}, 1000),
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 7}, 7),
        ({"max_output_tokens": 7}, 7),
        ({"max_tokens": 7, "max_completion_tokens": 9}, 9),
        ({"max_tokens": 7, "n": 3}, 21),
        ({"max_tokens": 7, "n": 2, "best_of": 5}, 35),
        ({"max_tokens": -1}, 1000),
        ({"max_tokens": None}, 1000),
        ({"max_tokens": True}, 1000),
        ({"max_tokens": "7"}, 1000),
        ({"max_tokens": 10**30}, 10**9),
        ({"max_tokens": 1e6}, 10**6),
        ({"max_tokens": 10, "n": 2.5}, 30),
        ({"n": 0, "max_tokens": 5}, 5),
    ],
)
def test_an_answers_bound(fields, output):
    assert most(model="m", **fields).output == output


def test_a_question_has_no_more_tokens_than_bytes():
    body = json.dumps({"messages": [{"role": "user", "content": "héllo 你好 🙂" * 50}]}).encode()
    found = most_of(body, 1)
    assert len(body) // 4 < found.guess < found.input == len(body)
    assert found.dearest == Usage(len(body), 1, 0, len(body))
    assert most_of(b'{"cache_control"' + b" " * 84, 1).dearest == Usage(100, 1, 0, 0, 100)


@pytest.mark.parametrize(
    "body",
    [
        {"previous_response_id": "r"},
        {"conversation": "c"},
        {"messages": [{"content": [{"type": "file", "file": {"file_id": "f"}}]}]},
        {"tools": [{"type": "web_search_preview"}]},
        {"tools": [{"type": "mcp", "server_url": "x"}]},
        {"service_tier": "priority"},
    ],
)
def test_what_has_no_bound_is_told(body):
    assert most(**body).unbounded
    text = json.dumps(body)
    for letter in "fptwms":
        text = text.replace(f'"{letter}', f'"\\u{ord(letter):04x}')
    assert most_of(text.encode(), 1).unbounded


def test_words_in_a_prompt_are_words():
    prompt = 'the "file_id" and "type": "web_search" of "previous_response_id"'
    found = most(messages=[{"role": "user", "content": prompt}], previous_response_id=None)
    assert (found.unbounded, found.guess < 1000) == ("", True)


def test_pictures_and_documents_have_bounds_of_their_own():
    picture = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    assert most(messages=[{"content": [picture]}]).input > 50_000
    assert most(messages=[{"content": [{"type": "input_file"}]}]).input > 1_000_000


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b'{"a":' * 3000, b"\xff", b'\\u00 {"n": 5'])
def test_what_is_no_request_has_a_bound_all_the_same(body):
    found = most_of(body, 1000)
    assert (found.input, found.output) == (len(body), 1000)
