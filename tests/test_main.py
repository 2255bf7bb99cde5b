"""`python -m stepdown` is the command."""

import subprocess
import sys

from stepdown import __version__


def test_the_module_runs_the_command_line():
    done = subprocess.run(
        [sys.executable, "-m", "stepdown", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"stepdown, version {__version__}"
