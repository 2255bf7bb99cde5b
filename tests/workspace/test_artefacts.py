"""A student folder is what was published, or it is refused before anything is parsed (M-1)."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepdown.errors import ArtefactError
from stepdown.workspace.artefacts import publish_student, verify_student


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


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_m1_every_flipped_byte_is_refused(tmp_path, data):
    folder, _ = published(tmp_path)
    name = data.draw(st.sampled_from(["manifest.json", "weights.bin", "vocabulary.json"]))
    path = folder / name
    original = path.read_bytes()
    at = data.draw(st.integers(0, len(original) - 1))
    flip = data.draw(st.integers(1, 255))
    path.write_bytes(original[:at] + bytes([original[at] ^ flip]) + original[at + 1 :])
    try:
        # The date of making and the training record are the only bytes that are not covered.
        manifest = verify_student(folder)
        assert name == "manifest.json"
        assert manifest.made_at != DRAFT["made_at"]
    except ArtefactError:
        pass
    finally:
        path.write_bytes(original)


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
