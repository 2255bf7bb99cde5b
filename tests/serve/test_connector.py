"""An upstream that only ever clears its throat is cut off, and one that does so a little is not."""

import json
import socket
import threading
from contextlib import closing, contextmanager, suppress

import pytest
from tests.serve.conftest import FakeUpstream


@contextmanager
def hesitant(times):
    """An upstream that says 100 Continue so often before each answer; None: without an end."""
    listener = socket.create_server(("127.0.0.1", 0))
    body = json.dumps(FakeUpstream.completion(Named, "m")).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    early = b"HTTP/1.1 100 Continue\r\n\r\n"

    def run():
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.recv(65_536)
                    while times is None:
                        connection.sendall(early * 1000)
                    connection.sendall(early * (times or 0) + head % len(body) + body)

    thread = threading.Thread(target=run)
    thread.start()
    with closing(listener):
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    thread.join()


class Named:
    words = ("hello",)


@pytest.mark.parametrize(("times", "status"), [(0, 200), (3, 200), (40, 502), (None, 502)])
def test_s15_early_answers_are_counted(start, complete, body, times, status):
    with hesitant(times) as url:
        start(base_url=url)
        assert complete(body("hm")).status == status
        assert complete(body("hello")).status == 200
