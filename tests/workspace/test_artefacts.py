"""A student folder is what was published, or it is refused before anything is parsed (M-1)."""

import os
import random

import msgspec
import pytest

from stepdown.core.fingerprint import canonical_json
from stepdown.errors import ArtefactError
from stepdown.workspace.artefacts import _identity, _sealed, publish_student, verify_student
from stepdown.workspace.golden import Golden


class Family:
    """Saves two files whose bytes are the student itself."""

    name = "fake"

    def save(self, student, folder):
        (folder / "weights.bin").write_bytes(student)
        (folder / "vocabulary.json").write_bytes(b"[]")


DRAFT = {"task": "t-1", "dataset": "d-1", "contract": {"tools": ""}, "made_at": "2026-11-01"}


def published(tmp_path, data=b"weights"):
    return publish_student(tmp_path, Family(), data, DRAFT)


def test_what_was_published_verifies_and_is_named_by_content(tmp_path):
    folder, manifest = published(tmp_path)
    assert verify_student(folder) == manifest
    assert folder.name == manifest.id
    assert manifest.size_bytes == len(b"weights") + 2
    again, _ = publish_student(tmp_path, Family(), b"weights", DRAFT | {"made_at": "later"})
    other, _ = published(tmp_path, b"other")
    assert again == folder != other


def test_made_again_it_holds_what_it_says_now(tmp_path):
    folder, _ = published(tmp_path)
    (folder / "weights.bin").write_bytes(b"weightz")
    golden = (Golden("a", 0.5),)
    draft = DRAFT | {"golden": golden, "golden_version": 2}
    again, manifest = publish_student(tmp_path, Family(), b"weights", draft)
    assert again == folder
    assert verify_student(folder) == manifest
    assert (manifest.golden, manifest.golden_version) == (golden, 2)


def flipped(path, at, flip):
    original = path.read_bytes()
    path.write_bytes(original[:at] + bytes([original[at] ^ flip]) + original[at + 1 :])
    return original


def test_m1_every_flipped_byte_of_the_manifest_is_refused(tmp_path, figure):
    folder, _ = published(tmp_path)
    path = folder / "manifest.json"
    drawn = random.Random(1)
    size = path.stat().st_size
    for at in range(size):
        for flip in {1, 32, drawn.randrange(1, 256)}:
            original = flipped(path, at, flip)
            with pytest.raises(ArtefactError):
                verify_student(folder)
            path.write_bytes(original)
    assert verify_student(folder)
    figure(f"each of {size} bytes of a manifest flipped, all refused")


def test_m1_2000_flips_in_the_weights_are_refused(tmp_path, figure):
    drawn = random.Random(2)
    folder, _ = published(tmp_path, drawn.randbytes(50_000))
    path = folder / "weights.bin"
    for _ in range(2000):
        original = flipped(path, drawn.randrange(50_000), drawn.randrange(1, 256))
        with pytest.raises(ArtefactError, match=r"weights\.bin"):
            verify_student(folder)
        path.write_bytes(original)
    assert verify_student(folder)
    figure("2,000 flips in weights, all refused")


NAMES = ("../weights.bin", "/etc/passwd", "a/../weights.bin", "./weights.bin", "", ".", "..", "x\0")


@pytest.mark.parametrize("name", NAMES)
def test_m1_names_that_lead_out_are_refused_though_the_manifest_is_sound(tmp_path, name):
    folder, manifest = published(tmp_path)
    files = tuple(
        msgspec.structs.replace(one, name=name) if one.name == "weights.bin" else one
        for one in manifest.files
    )
    forged = _sealed(msgspec.structs.replace(manifest, files=files, id=""))
    forged = _sealed(msgspec.structs.replace(forged, id=_identity(forged)))
    (folder / "manifest.json").write_bytes(canonical_json(forged))
    moved = folder.rename(tmp_path / forged.id)
    (tmp_path / "weights.bin").write_bytes(b"weights")
    with pytest.raises(ArtefactError, match="missing or should not be there"):
        verify_student(moved)


@pytest.mark.parametrize("name", ["..", "../x", "a b", "", ".hidden"])
def test_m1_what_is_no_name_of_a_student_is_refused(tmp_path, name):
    published(tmp_path)
    with pytest.raises(ArtefactError):
        verify_student(tmp_path / name)


def test_m1_a_renamed_a_linked_and_an_old_manifest(tmp_path):
    folder, manifest = published(tmp_path)
    other = folder.rename(tmp_path / "abc")
    with pytest.raises(ArtefactError, match="not the one"):
        verify_student(other)
    folder.symlink_to(other)
    with pytest.raises(ArtefactError, match="no student of that name"):
        verify_student(folder)
    folder.unlink()
    other.rename(folder)
    path = folder / "manifest.json"
    os.link(path, tmp_path / "second")
    with pytest.raises(ArtefactError, match="link"):
        verify_student(folder)
    (tmp_path / "second").unlink()
    # Manifests of before there were seals are read on.
    path.write_bytes(canonical_json(msgspec.structs.replace(manifest, seal="")))
    assert verify_student(folder).id == manifest.id


def test_m1_missing_extra_and_linked_files_are_refused(tmp_path):
    folder, _ = published(tmp_path)
    (folder / "extra").write_bytes(b"")
    with pytest.raises(ArtefactError, match="extra"):
        verify_student(folder)
    (folder / "extra").unlink()
    weights = folder / "weights.bin"
    weights.rename(tmp_path / "elsewhere")
    with pytest.raises(ArtefactError, match=r"weights\.bin"):
        verify_student(folder)
    weights.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtefactError, match="link"):
        verify_student(folder)
    weights.unlink()
    os.link(tmp_path / "elsewhere", weights)
    with pytest.raises(ArtefactError, match="link"):
        verify_student(folder)


def test_a_folder_without_a_manifest_is_refused_with_the_fix(tmp_path):
    (tmp_path / "s").mkdir()
    with pytest.raises(ArtefactError, match="stepdown train"):
        verify_student(tmp_path / "s")
