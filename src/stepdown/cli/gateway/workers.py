"""`stepdown serve --workers N`: one command as a parent and its workers, each with its outbox."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import click
import msgspec

from stepdown.cli.options import WORKER, Session
from stepdown.cli.stores import database_url, drain_left
from stepdown.errors import UsageError
from stepdown.render import say
from stepdown.serve.server import holding
from stepdown.serve.settings import Settings, Worker, checked
from stepdown.serve.workers import Supervisor
from stepdown.store.postgres_link import checked_url
from stepdown.workspace.presence import announce

__all__ = ["drain_orphans", "in_place", "run_workers", "this_worker"]

_AGAIN_S = 30.0


def in_place(session: Session, settings: Settings, workers: int | None) -> Settings:
    """Return a worker's or an only gateway's settings; where there are to be several, this process
    becomes their parent, and does not return.

    Raises:
        UsageError: as `run_workers` does.
    """
    # It takes up the configuration, once there is somebody to do so; until then it must not kill.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    worker = this_worker()
    if worker is not None:
        return msgspec.structs.replace(settings, worker=worker)
    count = workers or session.config.serve.workers
    if count > 1:
        click.get_current_context().exit(run_workers(session, settings, count))
    drain_orphans(session, count)
    return settings


def this_worker() -> Worker | None:
    """Return which worker of a parent this process is; None: it is none."""
    number, _, rest = os.environ.pop(WORKER, "").partition(":")
    lifeline, _, folder = rest.partition(":")
    return Worker(int(number), int(lifeline), folder) if folder else None


def run_workers(session: Session, settings: Settings, count: int) -> int:
    """Run so many workers of the present command until a signal; return the exit status.

    Raises:
        UsageError: the store is no database, or the port can't be had.
    """
    checked(settings)
    _check_store(session, count)
    context = click.get_current_context()
    with (
        tempfile.TemporaryDirectory(prefix="stepdown-") as folder,
        holding(settings.host, settings.port) as (port, address),
    ):
        command = [sys.executable, "-m", "stepdown", "serve", *_arguments(context, port)]

        def begin(number: int, lifeline: socket.socket) -> subprocess.Popen[bytes]:
            told = f"{number}:{lifeline.fileno()}:{folder}"
            return subprocess.Popen(
                command,
                pass_fds=[lifeline.fileno()],
                env=os.environ | {WORKER: told},
                # A terminal's interrupt is the parent's to hear.
                start_new_session=True,
            )

        notes: list[Path] = []

        def ready() -> None:
            notes.append(announce(session.workspace.root, address))
            say(f"{count} workers answer on {address}/v1.")

        drain_orphans(session, count)
        try:
            return Supervisor(count, begin, ready).run()
        finally:
            for note in notes:
                note.unlink(missing_ok=True)


def _check_store(session: Session, count: int) -> None:
    """Raise UsageError where the store can't be shared, or its address can't be one."""
    url = database_url(session)
    if url is None:
        raise UsageError(
            f"{count} workers can't share calls.db, which takes one writer; set [store] url to a "
            "Postgres database (docs/stores.md), or serve with one worker."
        )
    checked_url(url)


def drain_orphans(session: Session, count: int) -> None:
    """Move what workers left of which there are none any more, beside all else, until it is done.

    It is the parent's business, or that of the only process.
    """
    if database_url(session) is None or max(session.workspace.outboxes(), default=1) <= count:
        return
    tried = threading.Event()

    def drain() -> None:
        while not drain_left(session, count):
            tried.wait(_AGAIN_S)

    threading.Thread(target=drain, name="orphans", daemon=True).start()


def _arguments(context: click.Context, port: int) -> list[str]:
    """Return the present command's options as they have to be given to a worker."""
    found: list[str] = []
    for parameter in context.command.params:
        value: Any = context.params.get(parameter.name or "")
        if parameter.name == "port":
            value = port
        if not isinstance(parameter, click.Option) or value in (None, False):
            continue
        found += [parameter.opts[0]] if parameter.is_flag else [parameter.opts[0], str(value)]
    return found
