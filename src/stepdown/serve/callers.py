"""Who calls: a request's headers, and the keys that the gateway knows.

A key is looked up by the SHA-256 of all of it, so that no two keys can be taken for one another,
and what the look-up finds is compared once more in constant time.
"""

import hashlib
import hmac
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence

import msgspec

from stepdown.core.keys import KeyRing, VirtualKey
from stepdown.serve.headers import KEY_HEADERS, Headers
from stepdown.serve.settings import Settings

__all__ = ["ANYONE", "Caller", "Callers", "KnownKeys", "callers_of", "credentials", "known_keys_of"]


class Caller(msgspec.Struct, frozen=True):
    """Who asks. `known` says that it presented a key that this gateway knows; `key` is its virtual
    key, None where it has none (a client key of the configuration, or no key wanted)."""

    known: bool = False
    key: VirtualKey | None = None


ANYONE = Caller()
"""A caller of a gateway that wants no key of its own."""

_CLIENT = Caller(known=True)


class Callers:
    """The keys that callers may present; `required` says that each has to present one."""

    def __init__(self, client_keys: Sequence[str], ring: KeyRing, required: bool = False) -> None:
        self.generation = ring.generation
        self.required = required or bool(client_keys)
        self._clients = {_digest(key.encode()): _CLIENT for key in client_keys}
        self._known: dict[bytes, Caller] = {}
        self.take_up(ring)

    def take_up(self, ring: KeyRing) -> None:
        """Know the keys of `ring`, and no virtual key else.

        Once there was a virtual key, callers need one, even when the last of them was revoked.
        """
        self.required = self.required or bool(ring.keys)
        self.generation = ring.generation
        keys = {bytes.fromhex(key.digest): Caller(True, key) for key in ring.keys}
        self._known = {**keys, **self._clients}

    def virtual_keys(self) -> list[VirtualKey]:
        """Return the virtual keys, as they were made."""
        found = (caller.key for caller in self._known.values())
        return sorted((key for key in found if key), key=lambda key: key.created)

    def states(self, now: float) -> dict[str, int]:
        """Return how many virtual keys are active, revoked and expired."""
        return dict(Counter(key.state(now) for key in self.virtual_keys()))

    @property
    def virtual(self) -> bool:
        """Whether there are virtual keys."""
        return len(self._known) > len(self._clients)

    def of(self, headers: Headers) -> Caller | None:
        """Return who sends these headers; None: nobody who may enter."""
        return self.identified(headers) if self.required else ANYONE

    def identified(self, headers: Headers) -> Caller | None:
        """Return the known caller of these headers, whether one is required or not."""
        for presented in credentials(headers):
            digest = _digest(presented)
            found = self._known.get(digest)
            if found is None:
                continue
            key = found.key
            if key is None:
                return found
            same = hmac.compare_digest(digest, bytes.fromhex(key.digest))
            if same and key.revoked is None and (not key.expires or time.time() < key.expires):
                return found
        return None


def callers_of(settings: Settings, ring: KeyRing | None) -> Callers:
    """Return the callers that a gateway's settings and keys let in."""
    return Callers(settings.client_keys, ring or KeyRing(), settings.keys_required)


class KnownKeys:
    """The keys of callers' own that the upstream accepted within the last `seconds`, hashed."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def has(self, headers: Headers) -> bool:
        """Say whether the caller's key is one of them."""
        return self._until.get(_own_key(headers), 0.0) > time.monotonic()

    def add(self, headers: Headers) -> None:
        """Remember the caller's key; the one that was accepted longest ago makes room."""
        key = _own_key(headers)
        self._until[key] = time.monotonic() + self._seconds
        self._until.move_to_end(key)
        if len(self._until) > self._most:
            self._until.popitem(last=False)


def known_keys_of(settings: Settings) -> KnownKeys | None:
    """Return what remembers callers' own keys; None where students answer without that."""
    if not settings.answers_known_keys_only:
        return None
    return KnownKeys(settings.limits.known_keys, settings.timeouts.known_key)


def credentials(headers: Headers) -> list[bytes]:
    """Return the keys that a request presents, as they are written behind `Bearer`."""
    return [_bare(value) for name, value in headers if name in KEY_HEADERS]


def _bare(value: bytes) -> bytes:
    return value[7:].strip() if value[:7].lower() == b"bearer " else value


def _own_key(headers: Headers) -> bytes:
    return _digest(b"\n".join(credentials(headers)))


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
