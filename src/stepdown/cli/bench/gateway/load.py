"""The load: wrk with many connections, for what a second of processor time is worth."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from stepdown.cli.bench.gateway.nginx import tool
from stepdown.cli.bench.gateway.processes import Running, cpu_seconds
from stepdown.errors import Refusal

__all__ = ["Load", "per_cpu_second", "press"]

CONNECTIONS = 64
_SCRIPT = """
local bodies = {{}}
for line in io.lines({file}) do bodies[#bodies + 1] = line end
local made, at = {{}}, 0
function init(args)
  local headers = {{["content-type"] = "application/json", ["authorization"] = "Bearer caller"}}
  for i, body in ipairs(bodies) do
    made[i] = wrk.format("POST", "/v1/chat/completions", headers, body)
  end
end
function request()
  at = at % #made + 1
  return made[at]
end
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("\\ndone %d %d %d\\n", summary.requests, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
"""


class Load(msgspec.Struct, frozen=True):
    """What a round did: requests answered, those with another status than 200, broken ones, and
    the processor time that the server spent on it."""

    requests: int
    refused: int
    broken: int
    cpu_s: float

    @property
    def rate(self) -> float:
        """Requests for each second of the server's processor time."""
        return self.requests / self.cpu_s


def press(
    server: Running, bodies: Sequence[bytes], seconds: float, connections: int = CONNECTIONS
) -> Load:
    """Send the bodies in turn on every connection, as fast as the answers come.

    Raises:
        Refusal: wrk failed.
    """
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "bodies"
        file.write_bytes(b"".join(body + b"\n" for body in bodies))
        script = Path(name) / "script.lua"
        script.write_text(_SCRIPT.format(file=json.dumps(str(file))), encoding="utf-8")
        # wrk takes whole seconds.
        command = [tool("wrk"), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
        command += ["--timeout", "20s", "-s", str(script), server.url]
        before = cpu_seconds(server.pid)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        spent = cpu_seconds(server.pid) - before
    last = done.stdout.rpartition("done ")[2].split()
    if done.returncode != 0 or len(last) < 3:
        raise Refusal(f"wrk failed: {(done.stderr or done.stdout)[-300:]}")
    requests, refused, broken = (int(number) for number in last[:3])
    return Load(requests, refused, broken, max(spent, 0.01))


def per_cpu_second(rounds: Sequence[Load]) -> float:
    """Return the rate of all rounds together."""
    return sum(one.requests for one in rounds) / sum(one.cpu_s for one in rounds)
