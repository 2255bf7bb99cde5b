"""Kill -9: what was answered and is not in the store counts as lost, what is there twice too."""

import contextlib
import subprocess
import sys

from stepdown.cli.bench.gateway import kills
from stepdown.cli.bench.gateway.processes import Running

ANSWERS_AND_FORGETS = """
import http.server, itertools
ids = itertools.count()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("x-stepdown-request-id", str(next(ids)))
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextlib.contextmanager
def forgetful():
    command = [sys.executable, "-c", ANSWERS_AND_FORGETS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        port = process.stdout.readline().strip()
        yield Running(f"http://127.0.0.1:{port}", process.pid)


def test_what_no_store_has_is_lost(tmp_path):
    counts = kills.killed(forgetful, tmp_path / "calls.db", [b"{}", b"{}"], 2)
    assert counts.kills == 2
    assert counts.lost == counts.acknowledged > 0
    assert (counts.stored, counts.doubled) == (0, 0)
