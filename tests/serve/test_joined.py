"""The head of a response waits for its body, and for nothing else."""

import asyncio

from stepdown.serve.joined import JoinedWrites

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Wire(asyncio.Transport):
    """Keeps each write apart."""

    def __init__(self):
        super().__init__()
        self.writes = []
        self.closed = False

    def write(self, data):
        assert not self.closed
        self.writes.append(bytes(data))

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed


def written(*steps):
    """Return the writes that reach the wire when each step is done in a turn of the loop."""

    async def run():
        wire = Wire()
        joined = JoinedWrites(wire, asyncio.get_running_loop())
        for step in steps:
            step(joined)
            if step is not steps[-1]:
                await asyncio.sleep(0)
        return wire, joined

    return asyncio.run(run())


def test_head_and_body_are_one_write():
    def answer(to):
        to.write(HEAD)
        to.write(b"{}")

    wire, _ = written(answer)
    assert wire.writes == [HEAD + b"{}"]


def test_a_head_alone_goes_out_in_the_next_turn():
    wire, _ = written(lambda to: to.write(HEAD), lambda to: to.write(b"data: 1\n\n"))
    assert wire.writes == [HEAD, b"data: 1\n\n"]


def test_what_follows_is_never_held_back():
    def stream(to):
        for part in (HEAD, b"1", b"2"):
            to.write(part)

    wire, _ = written(stream, lambda to: to.write(b"3"))
    assert wire.writes == [HEAD + b"1", b"2", b"3"]


def test_a_request_for_the_body_is_no_head():
    def wait(to):
        to.write(CONTINUE)
        to.write(HEAD)
        to.write(b"{}")

    wire, _ = written(wait)
    assert wire.writes == [CONTINUE, HEAD + b"{}"]


def test_closing_loses_nothing():
    def leave(to):
        to.write(HEAD)
        to.close()

    wire, joined = written(leave)
    assert wire.writes == [HEAD]
    assert wire.closed
    assert joined.is_closing()
