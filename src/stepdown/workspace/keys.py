"""`keys.json`: the virtual keys of a workspace. A change is one atomic, numbered step."""

import os
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from stepdown.core.keys import KeyRing, NewKey, VirtualKey, digest_of
from stepdown.errors import Refusal, UsageError
from stepdown.workspace.files import locked, publish_file, read_file

__all__ = ["MOST_KEYS", "add_key", "key_reader", "read_keys", "revoke_key"]

MOST_KEYS = 10_000
_LONGEST_NAME = 80
_SECRET_BYTES = 32
_LAST = 253_402_300_800
"""The end of the year 9999, in seconds since the epoch: what no date is after."""


def read_keys(path: Path) -> KeyRing:
    """Return the keys at `path`; none yet is the empty ring.

    Raises:
        ArtefactError: the file is not a ring of keys.
    """
    remedy = "restore it, or remove it and make new keys"
    return read_file(path, KeyRing, remedy) or KeyRing()


def key_reader(path: Path) -> Callable[[int | None], KeyRing | None]:
    """Return what a gateway asks for newer keys than those of a generation; None: there are none.

    The file is only read when it has changed.
    """
    seen: tuple[int, int, int] | None = None

    def read(generation: int | None) -> KeyRing | None:
        nonlocal seen
        try:
            found = os.stat(path)
            changed, number = found.st_mtime_ns, found.st_ino
        except FileNotFoundError:
            changed = number = 0
        # Who has another generation than the one read last has not taken that up.
        if generation is not None and (changed, number, generation) == seen:
            return None
        ring = read_keys(path)
        seen = (changed, number, ring.generation)
        return None if ring.generation == generation else ring

    return read


def add_key(path: Path, new: NewKey) -> tuple[str, VirtualKey]:
    """Make a key and publish its digest; returns the key itself, which nobody can tell again.

    Raises:
        UsageError: the name is taken by a key in use, or is none, or it has expired already.
        Refusal: there are too many keys.
    """
    name = new.name
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UsageError(f"A key's name has 1 to {_LONGEST_NAME} printable characters.")
    now = time.time()
    if new.expires is not None and not now < new.expires < _LAST:
        raise UsageError("A key expires at a later time than now, before the year 10000.")
    with _changing(path):
        ring = read_keys(path)
        if any(key.name == name and key.state(now) == "active" for key in ring.keys):
            raise UsageError(f"There is a key {name!r} in use; revoke it first, or name another.")
        if len(ring.keys) >= MOST_KEYS:
            raise Refusal(f"{path.name} holds {MOST_KEYS:,} keys, and that is the most it may.")
        taken = {key.id for key in ring.keys}
        public = next(new for new in iter(lambda: secrets.token_hex(6), "") if new not in taken)
        whole = f"sd-{public}-{secrets.token_urlsafe(_SECRET_BYTES)}"
        digest = digest_of(whole.encode())
        key = VirtualKey(public, name, digest, now, new.expires, None, new.tasks, new.allowance)
        _publish(path, ring, (*ring.keys, key))
        return whole, key


def revoke_key(path: Path, wanted: str) -> VirtualKey:
    """Revoke the key in use of that name or id and return it as it is now.

    Raises:
        UsageError: no key in use has that name or id.
    """
    with _changing(path):
        ring = read_keys(path)
        for key in ring.keys:
            if wanted in (key.id, key.name) and key.revoked is None:
                gone = msgspec.structs.replace(key, revoked=time.time())
                _publish(path, ring, tuple(gone if one is key else one for one in ring.keys))
                return gone
    raise UsageError(f"No key in use is called {wanted[:80]!r}; `stepdown keys list` names them.")


def _changing(path: Path) -> AbstractContextManager[None]:
    return locked(path.with_name(".keys.lock"))


def _publish(path: Path, ring: KeyRing, keys: tuple[VirtualKey, ...]) -> None:
    publish_file(path, msgspec.json.encode(KeyRing(ring.generation + 1, keys)))
