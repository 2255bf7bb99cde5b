"""The processes that are measured: on which core they run, and what they cost."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import msgspec

from stepdown.cli.demo.traffic import address_of
from stepdown.errors import Refusal

__all__ = ["Cores", "Running", "await_port", "cores", "cpu_seconds", "gateway", "on_core", "rss_mb"]

_TICKS = os.sysconf("SC_CLK_TCK")


class Cores(msgspec.Struct, frozen=True):
    """Where what is measured runs, and where the load and the upstream do; with one core, both."""

    measured: int
    load: int


class Running(msgspec.Struct, frozen=True):
    """A server's address and its process."""

    url: str
    pid: int


def cores() -> Cores:
    """Return the first and the last of the cores that this process may use."""
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[0], allowed[-1])


@contextlib.contextmanager
def on_core(core: int) -> Generator[None]:
    """Bind this process, and what it starts meanwhile, to one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """Return the processor time that all threads of a process have used, ended ones too."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rss_mb(pid: int) -> float:
    """Return the memory that a process holds, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def await_port(port: int, name: str) -> None:
    """Wait until something listens.

    Raises:
        Refusal: nothing does after ten seconds.
    """
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise Refusal(f"{name} did not start.")


@contextlib.contextmanager
def gateway(workspace: Path, upstream: str, core: int) -> Generator[Running]:
    """Run `stepdown serve` on a core.

    Raises:
        Refusal: it did not become ready.
    """
    with on_core(core):
        process = start(workspace, upstream)
    with process:
        try:
            yield Running(address_of(process).removesuffix("/v1"), process.pid)
        finally:
            process.terminate()
            process.communicate()


def start(workspace: Path, upstream: str, port: int = 0) -> subprocess.Popen[str]:
    """Start `stepdown serve` with the workspace's policy."""
    command = [sys.executable, "-m", "stepdown", "serve", "--port", str(port)]
    command += ["--upstream", upstream, "--workspace", str(workspace)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=workspace)
