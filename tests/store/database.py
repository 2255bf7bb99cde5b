"""A Postgres server of the tests' own, from the system's packages: it can be stopped and frozen."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import LiteralString

import pytest

__all__ = ["PASSWORD", "Server", "running_server"]

PASSWORD = "pa/ss w0rd"
_QUOTED = "pa%2Fss%20w0rd"
_numbers = count()


class Server:
    """One server on a free port; Postgres itself refuses to run as root."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        if os.geteuid() == 0:
            for path in (folder, folder / "password"):
                os.chown(path, *_user()[:2])
        self._run(
            *("initdb", "-D", f"{folder}/data", "-U", "tester", "--no-sync", "-E", "UTF8"),
            *("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={folder}/password"),
        )
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if os.geteuid() == 0:
            uid, gid, _ = _user()
            command = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *command]
        subprocess.run(command, check=True, cwd=self._folder, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        options = (
            f"-c port={self.port} -c listen_addresses=127.0.0.1 -c fsync=off "
            f"-c unix_socket_directories={self._folder} -c max_connections=50"
        )
        log = f"{self._folder}/log"
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-l", log, "-w", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-m", "immediate", "-w", "stop")

    def processes(self) -> list[int]:
        """The server's processes: its own first."""
        pid_file = self._folder / "data" / "postmaster.pid"
        first = int(pid_file.read_text("utf-8").split("\n")[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text("utf-8").split()
        return [first, *map(int, children)]

    @contextmanager
    def frozen(self) -> Generator[None]:
        """Every process of it is stopped: connections stay open, and nothing is answered."""
        stopped = self.processes()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def url(self, database: str = "postgres", password: str = _QUOTED) -> str:
        return f"postgresql://tester:{password}@127.0.0.1:{self.port}/{database}"

    def fresh(self) -> str:
        """Return the URL of a new, empty database."""
        import psycopg
        from psycopg.sql import SQL, Identifier

        name = f"t{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        return self.url(name)

    def ask(self, url: str, query: LiteralString) -> list[tuple]:
        """Return the rows of a query."""
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []


def _user() -> tuple[int, int, str]:
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return found.pw_uid, found.pw_gid, name
    pytest.skip("Postgres refuses to run as root, and there is no other user")


@contextmanager
def running_server() -> Generator[Server]:
    """A server for as long as the block runs; skips the test where there is no Postgres."""
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = str(found[-1]) if found else shutil.which("initdb")
    if initdb is None:
        pytest.skip("there is no Postgres here; apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="stepdown-pg-"))
    server = None
    try:
        server = Server(Path(initdb).parent, folder)
        yield server
    finally:
        if server is not None:
            server.stop()
        time.sleep(0.05)
        shutil.rmtree(folder, ignore_errors=True)
