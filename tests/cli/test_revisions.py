"""Folders of the past."""

import subprocess

import pytest

from stepdown.cli.revisions import revision_of
from stepdown.errors import InputError


def git(folder, *words):
    name = ("-c", "user.name=x", "-c", "user.email=x@x")
    subprocess.run(["git", "-C", str(folder), *name, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "a.py").write_text("old")
    (tmp_path / "other.py").write_text("other")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    (tmp_path / "app" / "a.py").write_text("new")
    return tmp_path


def test_a_folder_of_the_repository_as_it_was(repository):
    with revision_of(repository / "app", "HEAD") as earlier:
        assert [path.name for path in earlier.iterdir()] == ["a.py"]
        assert (earlier / "a.py").read_text() == "old"
    assert not earlier.exists()


@pytest.mark.parametrize("revision", ["nowhere", "--output=x"])
def test_what_git_does_not_have_is_said(repository, revision):
    with (
        pytest.raises(InputError, match="a commit, a branch or a tag"),
        revision_of(repository, revision),
    ):
        pass


def test_what_is_kept_from_packages_is_given_too(repository):
    (repository / ".gitattributes").write_text("*.py export-ignore\nkept.py export-subst\n")
    (repository / "kept.py").write_text("$Format:%H$\r\n")
    (repository / "link").symlink_to("other.py")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "second")
    with revision_of(repository, "HEAD") as earlier:
        assert (earlier / "app" / "a.py").read_text() == "new"
        assert (earlier / "kept.py").read_bytes() == b"$Format:%H$\r\n"
        assert not (earlier / "link").exists()
