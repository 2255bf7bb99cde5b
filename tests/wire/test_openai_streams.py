"""Adding up a stream: order, gaps, errors and nonsense."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.wire.openai_logprobs import answer_probability
from stepdown.wire.openai_streams import assemble


def chunk(delta=None, finish=None, index=0, **top):
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return json.dumps({"id": "c", "model": "m", "choices": [choice], **top}).encode()


def test_text_over_several_chunks_and_the_usage_chunk():
    frames = [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Hel"}),
        chunk({"content": "lo"}),
        chunk(finish="stop"),
        json.dumps({"id": "c", "choices": [], "usage": {"prompt_tokens": 1}}).encode(),
        b"[DONE]",
    ]
    found = assemble(frames)
    assert found.finished
    assert found.completion == {
        "object": "chat.completion",
        "id": "c",
        "model": "m",
        "usage": {"prompt_tokens": 1},
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello"},
                "finish_reason": "stop",
            }
        ],
    }


def test_tool_call_fragments():
    def call(**fields):
        return chunk({"tool_calls": [{"index": 0, **fields}]})

    found = assemble(
        [
            chunk({"role": "assistant", "content": ""}),
            call(id="1", type="function", function={"name": "f", "arguments": ""}),
            call(function={"arguments": '{"a"'}),
            call(function={"arguments": ":1}"}),
            chunk(finish="tool_calls"),
        ]
    )
    assert found.completion is not None
    message = found.completion["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"] == [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    ]


def test_a_call_of_the_old_functions_api():
    def call(**fields):
        return chunk({"function_call": fields})

    frames = [chunk({"content": None}), call(name="f", arguments=""), call(arguments='{"a"')]
    found = assemble([*frames, call(arguments=":1}"), chunk(finish="function_call")])
    assert found.completion is not None
    (choice,) = found.completion["choices"]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": '{"a":1}'}
    assert choice["message"]["content"] is None


@pytest.mark.parametrize("odd", [{}, {"refusal": 7}])
def test_logprobs_and_annotations_are_kept(odd):
    """Also of chunks that are alike, and of those with a field of another type."""

    def likely(text, logprob, **more):
        choice = {"index": 0, "delta": {"content": text, **more, **odd}, "finish_reason": None}
        choice["logprobs"] = {"content": [{"token": text, "logprob": logprob}], "refusal": None}
        return json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode()

    cited = [{"type": "url_citation", "url_citation": {"url": "https://a.example"}}]
    frames = [likely("a", -0.1), likely("b", -0.1), likely("a", -0.1, annotations=cited)]
    found = assemble([*frames, chunk(finish="stop")])
    assert found.completion is not None
    (choice,) = found.completion["choices"]
    assert choice["message"] == {"role": "assistant", "content": "aba", "annotations": cited}
    assert [one["token"] for one in choice["logprobs"]["content"]] == ["a", "b", "a"]
    assert answer_probability(json.dumps(found.completion).encode()) == pytest.approx(0.7408182)


def test_several_choices_and_one_unfinished():
    found = assemble([chunk({"content": "b"}, "stop", 1), chunk({"content": "a"}, None, 0)])
    assert found.completion is not None
    assert [c["message"]["content"] for c in found.completion["choices"]] == ["a", "b"]
    assert not found.finished


def test_an_error_frame_and_frames_that_are_not_json():
    found = assemble([b"{", b"[1]", b'{"error": {"message": "x"}}'])
    assert (found.completion, found.finished, found.unreadable) == (None, False, 2)
    assert found.error == {"message": "x"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "delta", "index", "tool_calls", "function", "content"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(st.lists(st.binary() | json_values.map(lambda value: json.dumps(value).encode())))
def test_s15_no_stream_can_break_the_reader(frames):
    assemble(frames)


def test_a_field_of_another_type_costs_that_field_alone():
    odd = {"id": "c", "choices": [{"delta": {"content": 7, "refusal": "no"}}, 3, {"index": "x"}]}
    found = assemble([json.dumps(odd).encode(), chunk({"content": "yes"}, "stop")])
    assert found.completion is not None
    (choice,) = found.completion["choices"]
    assert choice["message"] == {"role": "assistant", "content": "yes", "refusal": "no"}
    assert found.unreadable == 0


ODD = st.text(alphabet='ab"\\\n\x00é\u2028{}:,', max_size=4)
COMPACT = (",", ":")


@given(
    st.lists(
        st.tuples(
            ODD, st.sampled_from(["c", "d"]), st.sampled_from([None, None, "stop"]), st.booleans()
        ),
        max_size=6,
    ),
    st.sampled_from([1, {"y": "content"}, {"content": "a"}]),
)
def test_chunks_that_differ_in_their_text_alone_lose_none_of_it(rows, other):
    frames = []
    for text, name, finish, plain in rows:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
        value = {"id": name, "other": other, "choices": [choice]}
        frames.append(json.dumps(value, separators=COMPACT, ensure_ascii=plain).encode())
    found = assemble(frames)
    assert found.unreadable == 0
    if rows:
        assert found.completion is not None
        assert found.completion["id"] == rows[-1][1]
        (choice,) = found.completion["choices"]
        assert choice["message"]["content"] == "".join(row[0] for row in rows)


def test_a_chunk_like_the_last_that_is_no_json_is_unreadable():
    good = b'{"choices":[{"delta":{"content":"z"}}]}'
    found = assemble([good, good.replace(b"z", b"\n"), good.replace(b"z", b"\xff"), good])
    assert found.unreadable == 2
    assert found.completion is not None
    assert found.completion["choices"][0]["message"]["content"] == "zz"
