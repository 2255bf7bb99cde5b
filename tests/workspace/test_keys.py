"""`keys.json`: made, revoked, read again when it changed; nothing in clear."""

import json
import multiprocessing

import pytest

from stepdown.core.keys import Allowance, NewKey, digest_of
from stepdown.errors import ArtefactError, Refusal, UsageError
from stepdown.workspace.keys import add_key, key_reader, read_keys, revoke_key


@pytest.fixture
def path(tmp_path):
    return tmp_path / "w" / "keys.json"


def test_a_key_is_made_known_by_its_digest_and_revoked(path):
    whole, key = add_key(path, NewKey("team", Allowance(5), ("a",), 9e9))
    assert whole.startswith(f"sd-{key.id}-")
    assert len(whole) == len("sd-") + 12 + 1 + 43
    (kept,) = read_keys(path).keys
    assert kept == key
    assert digest_of(whole.encode()) == kept.digest
    assert revoke_key(path, "team").revoked is not None
    assert read_keys(path).generation == 2
    with pytest.raises(UsageError, match="keys list"):
        revoke_key(path, key.id)


def test_s4_the_file_holds_no_key_and_is_its_owners_alone(path):
    keys = [add_key(path, NewKey(f"team {n}"))[0] for n in range(20)]
    text = path.read_text()
    for whole in keys:
        secret = whole[16:]
        assert not any(secret[n : n + 12] in text for n in range(len(secret) - 12))
    assert {p.stat().st_mode & 0o777 for p in path.parent.iterdir()} == {0o600}
    assert len({whole[16:] for whole in keys}) == 20


def test_a_name_in_use_is_refused_and_free_once_revoked(path):
    add_key(path, NewKey("team"))
    with pytest.raises(UsageError, match="in use"):
        add_key(path, NewKey("team"))
    revoke_key(path, "team")
    add_key(path, NewKey("team"))
    assert [key.state(0) for key in read_keys(path).keys] == ["revoked", "active"]


@pytest.mark.parametrize("expires", [0.0, 1e9, 1e300])
def test_a_key_does_not_expire_before_it_is_made(path, expires):
    with pytest.raises(UsageError, match="expires at a later time"):
        add_key(path, NewKey("team", expires=expires))
    assert not path.exists()


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\nb", "a\x1b[0m"])
def test_a_name_is_short_and_printable(path, name):
    with pytest.raises(UsageError):
        add_key(path, NewKey(name))


def test_keys_are_bounded(path, monkeypatch):
    monkeypatch.setattr("stepdown.workspace.keys.MOST_KEYS", 2)
    add_key(path, NewKey("a"))
    add_key(path, NewKey("b"))
    with pytest.raises(Refusal):
        add_key(path, NewKey("c"))


def test_the_reader_reads_what_changed_and_only_then(path, monkeypatch):
    read = key_reader(path)
    assert read(None).keys == ()
    assert read(0) is None
    add_key(path, NewKey("a"))
    ring = read(0)
    assert ring.generation == 1
    reads = []
    monkeypatch.setattr("stepdown.workspace.keys.read_keys", lambda path: reads.append(1))
    assert read(1) is None
    assert reads == []


def test_the_reader_tells_a_change_again_to_who_has_not_taken_it_up(path):
    read = key_reader(path)
    add_key(path, NewKey("a"))
    assert read(None).generation == 1
    revoke_key(path, "a")
    assert read(None).generation == 2
    assert read(1).keys[0].revoked
    assert read(2) is None


def test_a_damaged_file_is_told_and_not_taken_for_an_empty_one(path):
    add_key(path, NewKey("a"))
    path.write_text("{")
    with pytest.raises(ArtefactError, match=r"keys\.json"):
        read_keys(path)
    path.write_text(json.dumps({"generation": 1, "keys": [{"id": 1}]}))
    with pytest.raises(ArtefactError):
        read_keys(path)


def _add_some(path, letter):
    for number in range(10):
        add_key(path, NewKey(f"{letter}{number}"))


def test_changes_at_once_lose_nothing(path):
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=_add_some, args=(path, letter)) for letter in "abc"]
    for process in others:
        process.start()
    for process in others:
        process.join()
    ring = read_keys(path)
    assert (ring.generation, len({key.name for key in ring.keys})) == (30, 30)
