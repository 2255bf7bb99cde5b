"""nginx, the yardstick: in front of the upstream as the gateway is, on the gateway's core."""

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Generator
from pathlib import Path

from stepdown.cli.bench.gateway.processes import Running, await_port, on_core
from stepdown.errors import Unavailable

__all__ = ["checked", "proxy", "tool"]

_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr crit;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 100000000;
  upstream behind {{ server {behind}; {kept} }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location / {{
      proxy_pass http://behind;
      {reuse}
    }}
  }}
}}
"""

_KEPT = "keepalive 128; keepalive_requests 100000000;"
_REUSE = 'proxy_http_version 1.1; proxy_set_header Connection "";'


def tool(name: str) -> str:
    """Return the path of `nginx` or `wrk`.

    Raises:
        Unavailable: it is not installed.
    """
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise Unavailable(
            f"The benchmark needs {name}; on Debian, `apt-get install nginx-light wrk`."
        )
    return found


def checked() -> None:
    """Find both tools before anything long begins.

    Raises:
        Unavailable: one is not installed.
    """
    for name in ("nginx", "wrk"):
        tool(name)


@contextlib.contextmanager
def proxy(folder: Path, upstream: str, core: int, *, kept: bool) -> Generator[Running]:
    """Run nginx on a core in front of the upstream, as one process.

    Without `kept` it connects for each request, as `proxy_pass` does that is told nothing else.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    behind = upstream.removeprefix("http://")
    folder.mkdir(exist_ok=True)
    file = folder / "nginx.conf"
    text = _CONFIGURATION.format(
        folder=folder,
        behind=behind,
        port=port,
        kept=_KEPT if kept else "",
        reuse=_REUSE if kept else "",
    )
    file.write_text(text, encoding="utf-8")
    command = [tool("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(file)]
    with on_core(core):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    with process:
        try:
            await_port(port, "nginx")
            yield Running(f"http://127.0.0.1:{port}", process.pid)
        finally:
            process.terminate()
