"""W3C trace context."""

import pytest

from stepdown.serve.trace import begun, carried

SHARED = 0.25
SENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_the_callers_trace_is_gone_on_with():
    trace = begun([(b"traceparent", SENT)])
    assert trace.trace == 0x4BF92F3577B34DA6A3CE929D0E0E4736
    assert (trace.parent, trace.sampled) == (0x00F067AA0BA902B7, True)
    assert trace.span not in (0, trace.parent)


def test_what_is_carried_on_is_read_again_with_the_span_as_parent():
    first = begun([(b"traceparent", SENT.replace(b"-01", b"-00"))])
    headers = carried([(b"a", b"b"), (b"traceparent", SENT), (b"tracestate", b"x=1")], first)
    assert [name for name, _ in headers] == [b"a", b"tracestate", b"traceparent"]
    second = begun(headers)
    assert (second.trace, second.parent, second.sampled) == (first.trace, first.span, False)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"00-0000000000000000000000000000000000-00f067aa0ba902b7-01",
        b"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        b"\xff\xfe",
        b"0" * 10_000,
    ],
)
def test_what_is_no_trace_begins_a_new_one(sent):
    one, other = (begun([(b"traceparent", sent)]) for _ in range(2))
    assert one.parent == 0
    assert one.sampled
    assert one.trace != other.trace


def test_a_share_of_the_traces_that_begin_here_is_told():
    told = sum(begun([], SHARED).sampled for _ in range(4000))
    assert 800 < told < 1200
    assert begun([(b"traceparent", SENT)], 0.0).sampled
    assert not any(begun([], 0.0).sampled for _ in range(100))
