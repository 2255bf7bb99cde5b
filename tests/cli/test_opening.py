"""What opens a student loads nothing that only training needs."""

import subprocess
import sys

import msgspec
import pytest
from tests.cli.story import call

from stepdown.cli import steps
from stepdown.cli.opening import open_student
from stepdown.core.fingerprint import canonical_json
from stepdown.workspace.artefacts import _sealed, read_manifest
from stepdown.workspace.golden import GOLDEN_VERSION

HEAVY = ("sklearn", "scipy", "pandas", "jinja2", "genai_prices", "torch", "onnxruntime")
ASKED = """
import sys
import stepdown.cli.serve
from stepdown import plugins
plugins.family("linear")
print(*(name for name in {heavy} if name in sys.modules))
"""


def test_steps_open_students_by_it():
    assert steps.open_student is open_student


@pytest.mark.parametrize("heavy", [HEAVY])
def test_the_gateway_and_the_linear_family_load_nothing_of_training(heavy):
    command = [sys.executable, "-c", ASKED.format(heavy=heavy)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.split() == []


def as_if_made_elsewhere(space, version):
    """Give every student other golden outputs, of that version."""
    for folder in space.glob("tasks/*/students/*"):
        manifest = read_manifest(folder)
        golden = tuple(msgspec.structs.replace(one, answer="0" * 16) for one in manifest.golden)
        changed = msgspec.structs.replace(manifest, golden=golden, golden_version=version)
        (folder / "manifest.json").write_bytes(canonical_json(_sealed(changed)))


def test_m8_a_refused_student_is_replaced_by_training_again(space, ran, capsys):
    task = ran.printed["tasks"][0]["task"]
    as_if_made_elsewhere(space, GOLDEN_VERSION)
    assert call("prove", task, "--workspace", space) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "golden text 1: another answer); train it again" in said
    assert call("train", task, "--workspace", space) == 0
    assert call("prove", task, "--workspace", space) == 0


def test_m8_golden_outputs_of_another_version_are_not_compared_and_said(space, ran, capsys):
    task = ran.printed["tasks"][0]["task"]
    as_if_made_elsewhere(space, GOLDEN_VERSION - 1)
    assert call("prove", task, "--workspace", space) == 0
    assert "is not checked" in capsys.readouterr().err
