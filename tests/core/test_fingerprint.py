"""Canonical JSON: key order and spacing don't count, anything else does."""

import json

from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.fingerprint import canonical_json, digest, fingerprint

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(values, st.randoms())
def test_key_order_does_not_change_the_fingerprint(value, random):
    def shuffled(item):
        if isinstance(item, dict):
            keys = list(item)
            random.shuffle(keys)
            return {key: shuffled(item[key]) for key in keys}
        return [shuffled(x) for x in item] if isinstance(item, list) else item

    assert fingerprint(value) == fingerprint(shuffled(value))


@given(values, values)
def test_different_values_have_different_canonical_json(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (canonical_json(one) == canonical_json(other)) == same


def test_digest_is_sha256():
    assert digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert len(fingerprint({}, 20)) == 20
