"""A field is replaced in its place, whatever else the body holds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.serve.fields import with_field

NESTED = (
    b'{"tools":[{"model":"auto"}], "m" : 1.50,"model" : "auto" ,"text":"\\"model\\":\\"auto\\""}'
)


@pytest.mark.parametrize(
    ("body", "made"),
    [
        (b'{ "model" : "a",\n "x":1E5,"x":2 }', b'{ "model" : "b",\n "x":1E5,"x":2 }'),
        (b' {"x":1} ', b' {"model":"b","x":1} '),
        (b"{ }", b'{"model":"b" }'),
        (NESTED, NESTED.replace(b' "auto" ', b' "b" ')),
        (b'{"model":"a","model":"a"}', b'{"model":"a","model":"b"}'),
        (b'{"mod\\u0065l":"a","x":1}', b'{"model":"b","x":1}'),
        (b'{"mod\\u0065l":"a","x":{"model":"a"}}', b'{"model":"b","x":{"model":"a"}}'),
        (b'{"x":"\\"model\\": null","model":null}', b'{"x":"\\"model\\": null","model":"b"}'),
    ],
)
def test_every_other_byte_stays(body, made):
    assert with_field(body, "model", b'"b"') == made


def test_a_body_full_of_the_same_is_written_anew():
    many = [{"model": "a"}] * 40
    body = json.dumps({"many": many, "model": "a"}).encode()
    assert json.loads(with_field(body, "model", b'"b"')) == {"many": many, "model": "b"}


_values = st.recursive(
    st.none() | st.integers() | st.sampled_from(["a", "model", '"model":"a"', "é"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["model", "x"]), inner, max_size=2)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["model", "x", "y"]), _values, max_size=3), st.booleans())
def test_the_field_and_nothing_else_changes(fields, spread):
    body = json.dumps(fields, indent=1 if spread else None).encode()
    made = with_field(body, "model", b'{"new": 1}')
    assert json.loads(made) == {**fields, "model": {"new": 1}}
