"""Work for workers, in a module of its own that they can import."""

import os
import signal
import time
from contextlib import asynccontextmanager
from pathlib import Path

from stepdown.errors import NotEnoughData, UpstreamError


def doubled(number):
    return 2 * number


def threads(_):
    return os.environ.get("OMP_NUM_THREADS")


def fails(what):
    if what == "own":
        raise NotEnoughData("Too few; collect more.")
    raise ValueError(what)


def dies_first(marker):
    """Kill the worker the first time, and work the second."""
    path = Path(marker)
    if not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return path.name


def dies(_):
    os.kill(os.getpid(), signal.SIGKILL)


def slow(number):
    time.sleep(0.2 if number % 2 else 0.0)
    return number


def echo(text):
    return text


@asynccontextmanager
async def connection(key):
    """A teacher that is asked with a key."""

    async def complete(body):
        if body == b"busy":
            raise UpstreamError("Busy.", 429, 2.0)
        if body == b"die":
            os.kill(os.getpid(), signal.SIGKILL)
        return body.upper() + str(len(key)).encode()

    yield complete
