"""A proof as canonical JSON, named by what it says: an edited one is refused (C-9)."""

from typing import Any

import msgspec

from stepdown.core.fingerprint import canonical_json, fingerprint
from stepdown.core.proofs import Proof
from stepdown.errors import ArtefactError

__all__ = ["load_proof", "named", "save_proof"]

_UNNAMED = ("id", "latency", "made_at", "seal")
_MEASURED = ("economics", "opened")
"""What may be another the next time: no part of the name of a proof that has a seal."""
_UNSAID = ("ceiling", "gold", "seal", "opened")
"""What most proofs do not have is not written out: older ones keep their names."""


def _facts(proof: Proof) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(proof)
    return {k: v for k, v in facts.items() if v or k not in _UNSAID}


def _identity(proof: Proof, unnamed: tuple[str, ...]) -> str:
    facts = _facts(proof)
    return fingerprint({key: value for key, value in facts.items() if key not in unnamed})


def named(proof: Proof) -> Proof:
    """Return the proof under the fingerprint of what was proved, with its seal."""
    proof = msgspec.structs.replace(proof, id=_identity(proof, _UNNAMED + _MEASURED))
    return msgspec.structs.replace(proof, seal=_identity(proof, ("seal",)))


def _true(proof: Proof) -> bool:
    if not proof.seal:
        return _identity(proof, _UNNAMED) == proof.id
    return named(proof) == proof


def save_proof(proof: Proof) -> bytes:
    """Return the bytes of `proofs/<id>.json`: the same proof, the same bytes."""
    return canonical_json(_facts(proof))


def load_proof(data: bytes) -> Proof:
    """Read what `save_proof` wrote.

    Raises:
        ArtefactError: it is not a proof, or not the one that its name says.
    """
    try:
        proof = msgspec.json.decode(data, type=Proof)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ArtefactError(
            f"This is not a proof ({error}); make it again with `stepdown prove`."
        ) from error
    # Comparing bytes as well refuses what decoding passes over: an unknown key, a space.
    if not _true(proof) or save_proof(proof) != data:
        raise ArtefactError(
            f"Proof {proof.id} was changed after it was made; make it again with `stepdown prove`."
        )
    return proof
