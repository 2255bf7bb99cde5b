"""A proof regenerates byte for byte, and an edited one is refused (C-9)."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepdown.core.fingerprint import fingerprint
from stepdown.core.proofs import Economics
from stepdown.errors import ArtefactError
from stepdown.prove import ProofTerms, load_proof, prove, save_proof
from stepdown.prove.archive import named


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
    at = data.draw(st.integers(0, len(saved) - 1))
    flip = data.draw(st.integers(1, 255))
    with pytest.raises(ArtefactError, match="stepdown prove"):
        load_proof(saved[:at] + bytes([saved[at] ^ flip]) + saved[at + 1 :])


def test_c9_a_verdict_turned_round_is_refused(proof):
    saved = save_proof(proof)
    turned = saved.replace(b'"passed":true', b'"passed":false')
    assert turned != saved
    with pytest.raises(ArtefactError, match="was changed"):
        load_proof(turned)


def test_c9_a_proof_from_before_there_were_seals_is_still_known(proof):
    facts = msgspec.to_builtins(proof)
    unnamed = ("id", "latency", "made_at", "seal", "ceiling", "gold")
    name = fingerprint({key: value for key, value in facts.items() if key not in unnamed})
    old = msgspec.structs.replace(proof, id=name, seal="")
    assert b"seal" not in save_proof(old)
    assert load_proof(save_proof(old)) == old
    other = msgspec.structs.replace(old, economics=Economics(labelling_usd=3.0))
    with pytest.raises(ArtefactError, match="was changed"):
        load_proof(save_proof(other))


def test_the_name_is_what_was_proved_whatever_it_took(proof):
    slower = msgspec.structs.replace(proof, economics=Economics(labelling_usd=3.0))
    assert named(slower).id == proof.id
    assert load_proof(save_proof(named(slower))).economics.labelling_usd == 3.0
    with pytest.raises(ArtefactError, match="was changed"):
        load_proof(save_proof(slower))


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b"[" * 5000])
def test_what_is_no_proof_is_refused(data):
    with pytest.raises(ArtefactError, match="not a proof"):
        load_proof(data)
