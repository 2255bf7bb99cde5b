"""What of a spooled log expires: by the times of its calls, or by its own age where it has none."""

import json
import os

import pytest
import zstandard
from tests.cli.story import easy

from stepdown.cli.expiring import expire_spooled
from stepdown.cli.options import Session
from stepdown.config import Config
from stepdown.workspace import Workspace

BEGAN, DAY = 1_790_000_000, 86_400.0


@pytest.fixture
def session(tmp_path):
    return Session(Workspace(tmp_path / "space"), Config())


def spooled(session, lines):
    path = session.workspace.spool / "stdin-0123456789ab.jsonl.zst"
    path.parent.mkdir(parents=True)
    data = b"".join(
        line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines
    )
    path.write_bytes(zstandard.ZstdCompressor().compress(data))
    os.utime(path, (BEGAN, BEGAN))
    return path


def after(number, count):
    """The time when `number` calls of `count` have been made: they are spread over 40 days."""
    return BEGAN + (number - 0.5) * 40 * DAY / count


def left(path):
    data = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
    return [json.loads(line) for line in data.split(b"\n") if line]


def untimed(lines):
    return [{name: one for name, one in line.items() if name != "time"} for line in lines]


def test_p3_calls_expire_one_by_one_whenever_the_file_was_written(session):
    path = spooled(session, easy(90))
    assert expire_spooled(session, path, after(30, 90)) == 30
    assert [one["id"] for one in left(path)] == [f"call-{n}" for n in range(30, 90)]
    assert path.stat().st_mtime == BEGAN
    assert expire_spooled(session, path, after(30, 90)) == 0


def test_p3_a_log_goes_with_its_newest_call_and_what_has_no_time(session):
    lines = list(easy(60))
    path = spooled(session, [*lines[:30], *untimed(lines[30:])])
    assert expire_spooled(session, path, after(15, 60)) == 15
    assert len(left(path)) == 45
    assert expire_spooled(session, path, after(30, 60)) == 45
    assert not path.exists()


@pytest.mark.parametrize("lines", [untimed(easy(9)), [b"no log at all\n", b"[broken\n"]])
def test_a_log_without_times_is_as_old_as_its_file(session, lines):
    path = spooled(session, lines)
    assert expire_spooled(session, path, BEGAN - 1) == 0
    assert len(path.read_bytes())
    assert expire_spooled(session, path, BEGAN + 1) == len(lines)
    assert not path.exists()


def test_requests_without_an_answer_expire_as_well(session):
    lines = [{**one, "response": None} if n % 2 else one for n, one in enumerate(easy(90))]
    path = spooled(session, lines)
    assert expire_spooled(session, path, after(30, 90)) == 30
    assert len(left(path)) == 60
