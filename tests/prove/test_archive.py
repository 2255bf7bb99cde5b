"""A proof regenerates byte for byte, and an edited one is refused (C-9)."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepdown.errors import ArtefactError
from stepdown.prove import ProofTerms, load_proof, prove, save_proof


@pytest.fixture
def proof(world):
    data = world.dataset(world.rows(400, "calibration", 2), world.rows(60))
    return prove(world.task(), data, world.student, ProofTerms(budget=0.03))


def test_what_was_saved_is_loaded(proof):
    assert load_proof(save_proof(proof)) == proof


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_c9_an_edited_proof_is_refused(proof, data):
    saved = save_proof(proof)
    # Timing and date are no part of the name; everything before and after is.
    start, end = saved.index(b'"latency"'), saved.index(b'"not_covered"')
    at = data.draw(st.integers(0, len(saved) - 1).filter(lambda at: not start <= at < end))
    flip = data.draw(st.integers(1, 255))
    with pytest.raises(ArtefactError, match="stepdown prove"):
        load_proof(saved[:at] + bytes([saved[at] ^ flip]) + saved[at + 1 :])


def test_c9_a_verdict_turned_round_is_refused(proof):
    saved = save_proof(proof)
    turned = saved.replace(b'"passed":true', b'"passed":false')
    assert turned != saved
    with pytest.raises(ArtefactError, match="was changed"):
        load_proof(turned)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b"[" * 5000])
def test_what_is_no_proof_is_refused(data):
    with pytest.raises(ArtefactError, match="not a proof"):
        load_proof(data)
