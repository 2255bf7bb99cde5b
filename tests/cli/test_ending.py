"""What ends a command is told in one sentence, wherever the system refuses."""

import errno
import json
import subprocess
import sys

import pytest
from tests.cli.story import call, easy, write

from stepdown.cli.ending import of_system, refuse
from stepdown.errors import UsageError


@pytest.mark.parametrize("where", ["log.jsonl/space", "/proc/nope"])
def test_a_place_that_can_not_be_written_is_one_sentence(tmp_path, capsys, monkeypatch, where):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "log.jsonl", easy(60))
    for command, *place in (
        ("audit", "--workspace", where),
        ("run", "--workspace", where),
        ("audit", "--workspace", "w", "--html", f"{where}/x.html"),
    ):
        assert call(command, "log.jsonl", *place, "--json") == 2
        out, err = capsys.readouterr()
        told = json.loads(out)["error"]
        assert told["type"] == "InputError"
        assert told["message"].startswith(where)
        assert err.endswith(f"stepdown: {told['message']}\n")


def test_a_full_disk_below_a_command_names_the_file(tmp_path, capsys, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    log = write(tmp_path / "log.jsonl", easy(60))
    monkeypatch.setattr("stepdown.workspace.files.os.fsync", full)
    assert call("audit", log, "--workspace", tmp_path / "w") == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"stepdown: {tmp_path}/w/tasks/")
    assert said.endswith("can't be used (no space left on device); make room there, or give "
                         "another path.")  # fmt: skip
    assert [path for path in (tmp_path / "w").rglob("*") if path.is_file()] == []


def run(tmp_path, shell, *arguments):
    """Run a command whose output the shell leads elsewhere; return its status and stderr."""
    words = [sys.executable, "-m", "stepdown", *map(str, arguments), "--workspace", tmp_path / "w"]
    line = ["bash", "-c", shell, *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return done.stdout, done.stderr


def test_output_that_nothing_takes_is_no_traceback(tmp_path):
    ways = {
        '"$0" "$@" > /dev/full; echo $?': "2",
        '"$0" "$@" --json > /dev/full; echo $?': "2",
        '"$0" "$@" | sleep 0; echo ${PIPESTATUS[0]}': "141",
        '"$0" "$@" >&-; echo $?': "0",
        '"$0" "$@" --json 2> /dev/full > /dev/null; echo $?': "0",
    }
    for shell, status in ways.items():
        out, err = run(tmp_path, shell, "keys", "list")
        assert (shell, out) == (shell, status + "\n")
        assert "Traceback" not in err
        assert "Exception ignored" not in err
        if "> /dev/full" in shell and status == "2":
            assert err.splitlines()[-1] == (
                "stepdown: The output can't be used (no space left on device); "
                "send it to a file or device that takes it."
            )


def test_bad_usage_is_an_object_too(capsys):
    assert call("audit", "--json") == 2
    told = json.loads(capsys.readouterr().out)["error"]
    assert told == {"type": "UsageError", "message": "Missing argument 'LOG…'."}


def test_what_the_system_says_is_told_with_its_remedy():
    named = of_system(OSError(errno.EMFILE, "Too many open files", "/a/b"))
    assert str(named) == (
        "/a/b can't be used (too many open files); raise the limit of open files (ulimit -n)."
    )
    assert str(of_system(OSError("odd"))).startswith("A file can't be used (odd); check")


def test_an_error_is_said_on_both_outputs(capsys):
    assert refuse(UsageError("No."), as_json=True) == 2
    out, err = capsys.readouterr()
    assert (json.loads(out)["error"]["message"], err) == ("No.", "stepdown: No.\n")
