"""The engine in a process of its own: what crashes there is an answer less, not a gateway less.

The protocol is the package's: messages of JSON behind their length (8 bytes, big-endian).
"""

import json
import os
import select
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, Any, cast

from stepdown.errors import Unavailable
from stepdown.students.needle.package import engine_path, quiet, worker_command

__all__ = ["Worker", "WorkerError"]

_LENGTH = struct.Struct("!Q")
_MOST_BYTES = 1 << 24
_START_S = 120.0
_ANSWER_S = 20.0
_BUFFER = 65_536
_MOST_TOKENS = 512
_GENERATION = 3


class WorkerError(Exception):
    """The engine gave no answer."""


class Worker:
    """One model with one set of tools; started at the first question, and anew after a crash.

    `weights` is a .cact archive, `tools` the JSON of the tools' flat schemas.
    """

    def __init__(self, weights: Path, tools: str, answer_s: float = _ANSWER_S) -> None:
        self.weights = weights
        self._tools = tools
        self._answer_s = answer_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, if it does not run.

        Raises:
            Unavailable: the engine or the extra is not here, or it refuses the weights.
        """
        with self._lock:
            self._start()

    def ask(self, text: str) -> dict[str, Any]:
        """Return the engine's answer to one text, with no memory of any before it.

        Raises:
            WorkerError: the engine crashed, gave no answer in time, or said what is no answer.
        """
        clean = text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
        with self._lock:
            try:
                self._start()
                self._request({"operation": "reset"})
                asked = {"operation": "complete", "text": clean, "max_new_tokens": _MOST_TOKENS}
                answer: Any = json.loads(self._request(asked)["response"])
            except (OSError, ValueError, LookupError, TypeError, Unavailable) as error:
                self._stop()
                raise WorkerError(f"Needle's engine gave no answer ({error}).") from error
        if not isinstance(answer, dict):
            raise WorkerError("Needle's engine said what is no answer.")
        return cast("dict[str, Any]", answer)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._stop()

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        library = engine_path()
        self._process = subprocess.Popen(
            worker_command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=quiet(),
        )
        config = {
            "library": str(library),
            "weights": str(self.weights.absolute()),
            "system": "",
            "tools": self._tools,
            "tool_index": None,
            "buffer_size": _BUFFER,
            "generation": _GENERATION,
        }
        try:
            self._send(config)
            ready = self._receive(_START_S)
        except OSError as error:
            self._stop()
            raise Unavailable(f"Needle's engine did not start ({error}).") from error
        if ready.get("status") != "ready":
            self._stop()
            raise Unavailable(
                f"Needle's engine refused {self.weights} ({ready.get('message')}); build it again "
                "by training the student, or fetch the engine of the same version."
            )

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                _closed(pipe)

    def _request(self, message: dict[str, Any]) -> dict[str, Any]:
        self._send(message)
        answer = self._receive(self._answer_s)
        if answer.get("status") != "ok":
            raise OSError(str(answer.get("message")))
        return answer

    def _send(self, message: dict[str, Any]) -> None:
        pipe = self._pipe("stdin")
        data = json.dumps(message, ensure_ascii=False).encode()
        pipe.write(_LENGTH.pack(len(data)) + data)
        pipe.flush()

    def _receive(self, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size, deadline))
        if length > _MOST_BYTES:
            raise OSError("it sent a message that is too long")
        found: Any = json.loads(self._read(length, deadline))
        return cast("dict[str, Any]", found)

    def _read(self, size: int, deadline: float) -> bytes:
        file = self._pipe("stdout").fileno()
        data = b""
        while len(data) < size:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([file], [], [], left)[0]:
                raise TimeoutError("it took too long")
            # Past the file object: what that had buffered, `select` would not see.
            more = os.read(file, size - len(data))
            if not more:
                raise BrokenPipeError("it ended")
            data += more
        return data

    def _pipe(self, name: str) -> IO[bytes]:
        pipe = getattr(self._process, name, None)
        if pipe is None:
            raise BrokenPipeError("it does not run")
        return cast("IO[bytes]", pipe)


def _closed(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:
        # What was still to be written went with the process.
        return
