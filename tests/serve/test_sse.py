"""The passage of a stream: the same bytes, whole lines, and `[DONE]` last."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.serve.dialects import CHAT
from stepdown.serve.sse import LineTooLong, SsePassage

STREAM = b'data: {"a":1}\n\n: ping\n\ndata:{"b":2}\r\n\r\ndata: [DONE]\n\n'


def cut(data, sizes):
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]


@given(st.lists(st.integers(0, 12)))
def test_r5_however_it_is_cut_the_bytes_and_frames_are_the_same(sizes):
    passage = SsePassage(100, CHAT.ends)
    passed = b"".join(passage.feed(piece) for piece in cut(STREAM, sizes))
    assert passed + passage.rest() == STREAM
    assert b"[DONE]" not in passed
    assert passage.rest().startswith(b"data: [DONE]")
    assert passage.frames == [b'{"a":1}', b'{"b":2}', b"[DONE]"]
    assert passage.done


@given(st.lists(st.integers(0, 12)), st.sampled_from([b"\r", b"\r\n", b"\n"]))
def test_lines_may_end_with_a_lone_cr(sizes, newline):
    stream = STREAM.replace(b"\r\n", b"\n").replace(b"\n", newline)
    passage = SsePassage(100, CHAT.ends)
    passed = b"".join(passage.feed(piece) for piece in cut(stream, sizes))
    assert passed + passage.rest() == stream
    assert passage.rest().startswith(b"data: [DONE]")
    assert passage.frames == [b'{"a":1}', b'{"b":2}', b"[DONE]"]


@given(st.lists(st.integers(0, 12)))
def test_what_is_dropped_of_a_stream_with_lone_crs_leaves_whole_events(sizes):
    stream = b'data: {"a":1}\r\rdata: drop\r\rdata: {"b":2}\r\rdata: [DONE]\r\r'
    passage = SsePassage(100, CHAT.ends, lambda data: data == b"drop")
    passed = b"".join(passage.feed(piece) for piece in cut(stream, sizes))
    assert passed + passage.rest() == stream.replace(b"data: drop\r\r", b"")


@given(st.integers(0, len(STREAM) - 14), st.lists(st.integers(0, 12)))
def test_r5_a_stream_that_breaks_off_is_never_done(length, sizes):
    passage = SsePassage(100, CHAT.ends)
    passed = b"".join(passage.feed(piece) for piece in cut(STREAM[:length], sizes))
    assert not passage.done
    assert passed + passage.rest() == STREAM[:length]
    assert passed == b"" or passed.endswith(b"\n")


@given(st.lists(st.integers(0, 8)))
def test_what_comes_after_the_end_keeps_its_order(sizes):
    stream = STREAM + b"one\ntwo\nthree"
    passage = SsePassage(100, CHAT.ends)
    passed = b"".join(passage.feed(piece) for piece in cut(stream, sizes))
    assert passed + passage.rest() == stream


def test_s15_a_line_without_an_end():
    passage = SsePassage(10, CHAT.ends)
    assert passage.feed(b"data: 1\n") == b"data: 1\n"
    passage.feed(b"x" * 10)
    with pytest.raises(LineTooLong):
        passage.feed(b"x")


@given(st.lists(st.binary(max_size=30)))
def test_s15_any_bytes_pass_unchanged(chunks):
    passage = SsePassage(10_000, CHAT.ends)
    passed = b"".join(map(passage.feed, chunks))
    assert passed + passage.rest() == b"".join(chunks)


def test_s15_what_follows_the_end_is_bounded():
    passage = SsePassage(100, CHAT.ends)
    passage.feed(b"data: [DONE]\n")
    passage.feed(b"x" * 100)
    with pytest.raises(LineTooLong):
        passage.feed(b"x")


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"\r"])
def test_what_follows_the_end_of_a_broken_stream_is_left_out(line):
    end = b"data: [DONE]" + line
    for after in (b"", line, line + b"0\r\n\r\n", line + b"data: half"):
        passage = SsePassage(100, lambda data: data == b"[DONE]")
        assert passage.feed(b"data: 1" + line * 2 + end + after) == b"data: 1" + line * 2
        passage.broke_off()
        assert passage.rest() == end + line
