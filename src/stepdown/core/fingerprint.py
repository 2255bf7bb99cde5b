"""Names made from content: canonical JSON and its SHA-256."""

import hashlib
from typing import Any

import msgspec

__all__ = ["canonical_json", "digest", "fingerprint", "uniform"]

_encoder = msgspec.json.Encoder(order="sorted")


def canonical_json(value: Any) -> bytes:
    """Return the JSON of `value` with object keys sorted and no white space.

    Two values that differ only in key order or spacing have the same canonical JSON.
    """
    return _encoder.encode(value)


def digest(data: bytes) -> str:
    """Return the SHA-256 of `data`, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def fingerprint(value: Any, length: int = 12) -> str:
    """Return the first `length` hexadecimal digits of the SHA-256 of the canonical JSON."""
    return digest(canonical_json(value))[:length]


def uniform(name: str) -> float:
    """Return a number in [0, 1) that depends on `name` alone: a coin that always falls alike."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "replace")).digest()[:7]) / 2**56
