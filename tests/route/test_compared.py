"""Comparison files: scores or correctness, two named models, odd lines counted."""

import json

import pytest

from stepdown.errors import InputError, UsageError
from stepdown.route.compared import FILE, compared_rows, read_judged
from stepdown.route.rows import Compared


def row(weak, strong, **more):
    models = {"w": weak, "s": strong}
    return json.dumps({"prompt": "p", "models": models, **more}).encode()


def read(*lines, weak="w", strong="s"):
    return compared_rows(read_judged(lines), weak, strong)


@pytest.mark.parametrize(
    ("weak", "strong", "hard"),
    [
        ({"correct": 0}, {"correct": 1}, True),
        ({"correct": 1}, {"correct": 1}, False),
        ({"correct": 0}, {"correct": 0}, False),
        ({"correct": True}, {"correct": False}, False),
        ({"score": 0.2, "correct": 1}, {"score": 0.9, "cost": 3}, True),
    ],
)
def test_hard_is_where_the_strong_model_did_better(weak, strong, hard):
    (found,) = read(row(weak, strong))
    assert isinstance(found, Compared)
    assert (found.hard, found.source) == (hard, FILE)
    assert found.request.messages[0].text == "p"


def test_a_whole_request_is_read_as_one():
    line = json.dumps(
        {
            "request": {"model": "m", "messages": [{"role": "user", "content": "hello"}]},
            "models": {"w": {"correct": 1}, "s": {"correct": 1}},
        }
    ).encode()
    (found,) = read(line)
    assert isinstance(found, Compared)
    assert found.request.messages[0].text == "hello"


def test_lines_that_are_none_are_counted_and_passed_over():
    good = row({"correct": 1}, {"correct": 1})
    alone = json.dumps({"prompt": "p", "models": {"w": {"correct": 1}}}).encode()
    found = read(good, b"no", b'{"models": {}}', "a line that is too long", alone)
    assert [type(item) is Compared for item in found] == [True, False, False, False, False]
    assert "without one of the two models" in str(found[-1])


def test_nothing_to_read_is_refused_with_the_form():
    with pytest.raises(InputError, match="each line needs"):
        read(b"{}", b"[]")


@pytest.mark.parametrize(
    ("weak", "strong", "said"),
    [(None, "s", "the files have s, w"), ("w", "w", "--weak"), ("w", "gpt", "'gpt'")],
)
def test_the_two_models_have_to_be_named_among_those_there_are(weak, strong, said):
    with pytest.raises(UsageError, match=said):
        read(row({"correct": 1}, {"correct": 1}), weak=weak, strong=strong)
