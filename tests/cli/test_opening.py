"""What opens a student loads nothing that only training needs."""

import subprocess
import sys

import pytest

from stepdown.cli import steps
from stepdown.cli.opening import open_student

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
