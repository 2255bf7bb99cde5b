"""Whatever works in a folder is ended, and the folder removed, when its owner is gone."""

import os
import subprocess
import sys
import time

from stepdown.engines.after import clear, holders

HOLD = "import sys, time; held = open(sys.argv[1], 'a'); print('held', flush=True); time.sleep(60)"


def holding(path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def test_those_with_a_file_open_are_found_and_ended(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    (tmp_path / "ab").mkdir()
    with holding(folder / "log") as inside, holding(tmp_path / "ab" / "log") as outside:
        assert list(holders(folder)) == [inside.pid]
        clear(folder)
        assert inside.wait(10) < 0
        assert outside.poll() is None
        outside.kill()
    assert not folder.exists()


def test_it_waits_for_the_end_of_its_owner(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "stepdown.engines.after", str(folder)]
    # The owner may still have a file open, and lives on.
    own = (folder / "own").open("w", encoding="utf-8")
    with own, subprocess.Popen(command, stdin=reader) as process:
        os.close(reader)
        time.sleep(0.5)
        assert folder.exists()
        os.close(writer)
        assert process.wait(30) == 0
    assert not folder.exists()
