"""A server on a real socket: what it is asked, and what it may answer."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from stepdown.students.generative.port import EngineError
from stepdown.students.generative.remote import RemoteEngine


class Handler(BaseHTTPRequestHandler):
    asked: ClassVar = []
    reply = b""
    status = 200

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        Handler.asked.append((self.path, json.loads(self.rfile.read(length))))
        self.send_response(Handler.status)
        self.send_header("Content-Length", str(len(Handler.reply)))
        self.end_headers()
        self.wfile.write(Handler.reply)

    def log_message(self, format, *args):
        pass


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    Handler.asked, Handler.status = [], 200
    yield f"http://127.0.0.1:{made.server_port}/v1"
    made.shutdown()
    made.server_close()


def answer(text, finish="stop", **more):
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish, **more}
    return json.dumps({"choices": [choice]}).encode()


def test_it_asks_a_chat_and_reads_the_tokens(server):
    logprobs = {"content": [{"token": "ca", "logprob": -0.5}, {"token": "rds", "logprob": -0.25}]}
    Handler.reply = answer("cards", logprobs=logprobs)
    said = RemoteEngine(f"{server}/", "tiny").write("Answer.\n\nmy card", None, 9)
    assert (said.text, said.logprobs, said.ended) == ("cards", (-0.5, -0.25), True)
    ((path, body),) = Handler.asked
    assert path == "/v1/chat/completions"
    assert body["model"] == "tiny"
    assert [m["content"] for m in body["messages"]] == ["Answer.", "my card"]
    assert (body["temperature"], body["logprobs"], body["max_tokens"]) == (0, True, 9)


def test_a_cut_off_answer_says_so(server):
    Handler.reply = answer("car", "length")
    assert not RemoteEngine(server, "tiny").write("a\n\nb", None, 9).ended


@pytest.mark.parametrize("reply", [b"", b"{}", b"[]", b'{"choices": []}', b'{"choices": [3]}'])
def test_what_is_no_answer_is_an_engine_error(server, reply):
    Handler.reply = reply
    with pytest.raises(EngineError, match="gave no answer"):
        RemoteEngine(server, "tiny").write("a\n\nb", None, 9)


def test_a_server_that_fails_or_is_not_there(server):
    Handler.status = 500
    with pytest.raises(EngineError):
        RemoteEngine(server, "tiny").write("a\n\nb", None, 9)
    with pytest.raises(EngineError):
        RemoteEngine("http://127.0.0.1:9", "tiny").write("a\n\nb", None, 9)


def test_it_can_not_weigh_texts():
    with pytest.raises(EngineError):
        RemoteEngine("http://x", "m").choose("a", ["b"], line=True)
