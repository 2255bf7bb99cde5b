"""S-21: nothing listens but what the documentation says, and that on this machine alone."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.cli.story import easy, write
from tests.reliability.processes import gateway_process

LISTENING = "0A"


def family(pid):
    """Return a process and all its children."""
    found, todo = set(), [pid]
    while todo:
        one = todo.pop()
        found.add(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            todo += [int(child) for child in task.read_text("utf-8").split()]
    return found


def sockets_of(pid):
    found = set()
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            found.add(os.readlink(link))
        except OSError:
            continue
    return {name[8:-1] for name in found if name.startswith("socket:")}


def listeners(pid):
    """Return (address in hexadecimal, port) of all that a process and its children listen on."""
    own = set()
    for one in family(pid):
        own |= sockets_of(one)
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text("utf-8").splitlines()[1:]:
            parts = line.split()
            if parts[3] == LISTENING and parts[9] in own:
                address, _, port = parts[1].partition(":")
                found.add((address, int(port, 16)))
    return found


LOOPBACK = "0100007F"
ADMIN = """
[admin]
port = 0
secret_env = "ADMIN_SECRET"
"""


def test_s21_a_gateway_listens_where_it_says_and_nowhere_else(tmp_path, upstream, figure):
    with gateway_process(tmp_path / "w", upstream.url) as gateway:
        gateway.post({"model": "m", "messages": [{"role": "user", "content": "x"}]})
        assert listeners(gateway.pid) == {(LOOPBACK, gateway.port)}
    figure("`serve`: one port, on 127.0.0.1")


def test_s21_the_plane_of_administration_is_for_this_machine_too(tmp_path, upstream, figure):
    (tmp_path / "stepdown.toml").write_text(ADMIN, encoding="utf-8")
    secret = {"ADMIN_SECRET": "a-secret-of-32-letters-and-more-01"}
    with gateway_process(tmp_path / "w", upstream.url, env=secret.items()) as gateway:
        found = listeners(gateway.pid)
        assert len(found) == 2
        assert {address for address, _ in found} == {LOOPBACK}
    figure("with [admin]: a second port, on 127.0.0.1")


@pytest.mark.reliability
def test_s21_a_command_that_serves_nothing_listens_on_nothing(tmp_path, figure):
    log = write(tmp_path / "log.jsonl", easy(600))
    seen = set()
    with subprocess.Popen(
        [sys.executable, "-m", "stepdown", "run", log],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
        env=os.environ | {"STEPDOWN_WORKSPACE": str(tmp_path / "w")},
    ) as process:
        while process.poll() is None:
            with suppress(FileNotFoundError):
                seen |= listeners(process.pid)
            time.sleep(0.05)
    assert process.returncode in (0, 1)
    assert seen == set()
    figure("`run`: nothing")
