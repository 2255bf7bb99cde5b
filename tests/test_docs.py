"""Docs can't lie: commands, configuration keys and the version they name are the code's."""

import re
import tomllib
from pathlib import Path

import pytest

from stepdown import __version__
from stepdown.cli import COMMANDS
from stepdown.config import load_config

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_changelogs_top_version_is_the_packages():
    top = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert top.group(1) == project["version"] == __version__


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_a_page_names_exists(page):
    named = re.findall(r"`stepdown ([a-z]+)", page.read_text("utf-8"))
    named += re.findall(r"^(?:\$ )?stepdown ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    assert set(named) <= set(COMMANDS)


def test_every_command_is_in_the_docs():
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    assert [name for name in COMMANDS if f"stepdown {name}" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_configuration_example_loads(page, tmp_path):
    for block in re.findall(r"```toml\n# stepdown\.toml\n(.*?)```", page.read_text("utf-8"), re.S):
        (tmp_path / "stepdown.toml").write_text(block)
        load_config(tmp_path / "stepdown.toml")


def test_every_link_between_pages_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_direct_dependencies_stay_few():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert len(project["dependencies"]) <= 16  # docs/decisions/0005
    assert not any("torch" in name for name in project["dependencies"])


def test_locked_requirements_hold_no_addresses():
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text("utf-8")
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "--index" not in text
