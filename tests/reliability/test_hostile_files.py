"""M-3: no file of a student, however it is made, runs code, crashes the process or fills it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

OPENING = Path(__file__).with_name("opening.py")
ROOT = OPENING.parent.parent.parent


@pytest.mark.reliability
def test_m3_hostile_files_with_a_sound_manifest(space, tmp_path, figure):
    canary = tmp_path / "canary"
    (space / "stepdown.toml").write_text("# a file beside the process")
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.opening", space, canary],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=280,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (lines[-1:], done.stderr[-2000:])
    *told, (*_, grown) = [line for line in lines if line[-1] is not None]
    opened = [line for line in told if line[-1] not in ("ArtefactError", "Unavailable")]
    # An empty list of templates or the like is no damage: what is left answers as it did.
    assert opened == []
    assert not canary.exists()
    assert grown < 64 * 2**20
    cases = len({line[0] for line in told})
    figure(f"{cases} hostile files as {len(told)} parts of students, 0 opened, 0 crashes")
    figure(f"grew by {grown / 2**20:.0f} MB")
