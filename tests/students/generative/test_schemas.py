"""A schema learnt from values fits them all; its grammar leaves no room for blanks."""

import jsonschema_rs
from hypothesis import given
from hypothesis import strategies as st

from stepdown.students.generative.schemas import grammar_of, schema_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_it_fits_every_value_that_it_was_learnt_from(values):
    check = jsonschema_rs.validator_for(schema_of(values))
    assert all(check.is_valid(value) for value in values)


def test_keys_are_required_where_they_always_were_there():
    schema = schema_of([{"a": 1, "b": "x"}, {"a": 2.5}])
    assert schema["required"] == ["a"]
    assert schema["properties"]["a"] == {"type": "number"}
    check = jsonschema_rs.validator_for(schema)
    assert not check.is_valid({"a": 1, "c": 2})
    assert not check.is_valid({"b": "x"})


def test_lists_of_objects_keep_the_form_of_their_items():
    schema = schema_of([[{"name": "tea", "count": 2}], []])
    check = jsonschema_rs.validator_for(schema)
    assert check.is_valid([{"name": "a", "count": 1}, {"name": "b", "count": 2}])
    assert not check.is_valid([{"name": "a"}])


def test_the_grammar_is_a_value_on_its_line():
    text = grammar_of({"type": "string"})
    assert '"whitespace_flexible":false' in text
    assert text.startswith('start: " " value "\\n"\n')
