"""`stepdown status` on a gateway of its own process."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest
from tests.cli.story import call, easy

from stepdown.providers.recorded import serve_recorded


@pytest.fixture
def running(space):
    with serve_recorded([]) as upstream:
        command = [sys.executable, "-m", "stepdown", "serve", "--port", "0"]
        command += ["--upstream", upstream, "--workspace", str(space)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=space) as process:
            address = re.search(r"Ready on (\S+)/v1;", process.stderr.readline()).group(1)
            process.stderr.readline()
            yield address, process, space
            process.kill()


def _status(space, capsys):
    assert call("status", "--workspace", space, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_a_running_gateway_is_read_and_gone_at_its_end(running, capsys):
    address, process, space = running
    sent = json.dumps(next(iter(easy(50, seed=5)))["request"]).encode()
    asked = urllib.request.Request(f"{address}/v1/chat/completions", sent)
    with urllib.request.urlopen(asked, timeout=20):
        pass
    (found,) = _status(space, capsys)["gateways"]
    assert (found["address"], found["pid"]) == (address, process.pid)
    assert found["standing"]["status"] == "ready"
    assert found["standing"]["requests"] == {"small": 1, "mid": 0, "frontier": 0}
    assert found["standing"]["capture"]["committed"] == 1
    assert call("status", "--workspace", space) == 0
    said = capsys.readouterr().err
    assert f"Gateway on {address}: ready" in said
    assert "1 small" in said
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert _status(space, capsys)["gateways"] == []
    assert not list(space.glob("gateway-*"))


def test_a_killed_gateway_is_not_running(running, capsys):
    _, process, space = running
    process.kill()
    process.wait()
    assert list(space.glob("gateway-*"))
    assert _status(space, capsys)["gateways"] == []
    assert call("status", "--workspace", space) == 0
    assert "No gateway runs" in capsys.readouterr().err


def test_a_gateway_that_hangs_is_told_of_in_seconds(running, capsys):
    _, process, space = running
    os.kill(process.pid, signal.SIGSTOP)
    try:
        (found,) = _status(space, capsys)["gateways"]
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert found["standing"] is None
    assert "does not answer" in found["problem"]
