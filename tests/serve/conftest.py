"""A deterministic upstream with faults, students made of dictionaries, a gateway on a socket."""

import asyncio
import gzip
import json
import socket
import threading
import time
from contextlib import ExitStack, closing, suppress

import msgspec
import pytest
from aiohttp import web
from tests.app_thread import AppThread
from tests.serve.children import child as child
from tests.serve.speakers import SPEAKERS, embeddings, frames

from stepdown.core.anatomy import Anatomy
from stepdown.core.calls import Answer
from stepdown.core.contracts import contract_of
from stepdown.core.keys import NANODOLLARS, Allowance, KeyRing, VirtualKey, digest_of
from stepdown.core.ports import Prediction
from stepdown.core.routes import Route
from stepdown.core.tasks import Signature, Task, TaskIndex, Verdict, input_text
from stepdown.core.templates import Template
from stepdown.serve.desk import Desk
from stepdown.serve.live import LiveRoute, Loaded
from stepdown.serve.server import serving
from stepdown.serve.settings import Endpoint, Routing, Settings, Timeouts
from stepdown.store.spend import SqlitePurse
from stepdown.store.sqlite import SqliteOutbox, read_lines
from stepdown.wire.openai import parse_request

SYSTEM = "Name the intent."


class FakeUpstream(AppThread):
    """Answers chat completions; `fault` says how not to, `seen` keeps what arrived."""

    def __init__(self):
        self.fault = ""
        self.seen = []
        self.open_streams = 0
        self.words = ["from", "up", "there"]
        self.pause = 0.0
        self.breaks_at = -1
        self.release = threading.Event()
        super().__init__("/{path:.*}", self._handle, "fakeup")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def _handle(self, request):
        body = await request.read()
        self.seen.append((request.method, request.raw_path, dict(request.headers), body))
        fault, _, argument = self.fault.partition(":")
        if fault:
            return await getattr(self, f"_{fault}")(request, body, argument)
        return await self._answer(request, body)

    async def _answer(self, request, body):
        if self.pause:
            await asyncio.sleep(self.pause)
        for path, speaker in SPEAKERS.items():
            if request.path.endswith(path):
                return await self._spoken(request, json.loads(body), *speaker)
        if request.path.endswith("/embeddings") and b'"model"' in body:
            return web.json_response(embeddings(json.loads(body)))
        if not request.path.endswith("/chat/completions"):
            return web.json_response({"path": request.path, "object": "list", "data": []})
        asked = json.loads(body)
        if asked.get("stream"):
            options = asked.get("stream_options") or {}
            return await self._streamed(
                request, len(self.words), counts=options.get("include_usage") is True
            )
        return web.json_response(self.completion(asked["model"]), headers={"x-request-id": "up-1"})

    async def _spoken(self, request, asked, whole, events):
        if not asked.get("stream"):
            return web.json_response(whole(asked["model"], " ".join(self.words)))
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for number, frame in enumerate(frames(events(asked["model"], self.words))):
            if number == self.breaks_at:
                request.transport.abort()
                return response
            await response.write(frame)
        await response.write_eof()
        return response

    def completion(self, model):
        return {
            "id": "chatcmpl-up",
            "object": "chat.completion",
            "created": 1,
            "model": f"{model}-2026",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": " ".join(self.words)},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
        }

    def chunk(self, delta, finish=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-2026"}
        return b"data: " + json.dumps({**body, "choices": [choice]}).encode() + b"\n\n"

    async def _streamed(self, request, words, then=None, counts=False):
        self.open_streams += 1
        try:
            response = web.StreamResponse(headers={"content-type": "text/event-stream"})
            await response.prepare(request)
            if words:
                await response.write(self.chunk({"role": "assistant", "content": ""}))
            for word in self.words[:words]:
                await response.write(self.chunk({"content": f"{word} "}))
                await asyncio.sleep(self.pause)
            if then is not None:
                await then(request, response)
                return response
            last = self.chunk({}, "stop")
            if counts:
                usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
                told = {"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": usage}
                last += b"data: " + json.dumps(told).encode() + b"\n\n"
            await response.write(last + b"data: [DONE]\n\n")
            await response.write_eof()
            return response
        finally:
            self.open_streams -= 1

    async def _status(self, request, body, argument):
        error = {"error": {"message": "no", "type": "t", "param": None, "code": None}}
        return web.json_response(
            error, status=int(argument), headers={"retry-after": "7", "set-cookie": "a=b"}
        )

    async def _busy(self, request, body, argument):
        error = {"error": {"message": "busy", "type": "t", "param": None, "code": None}}
        return web.json_response(error, status=503, headers={"retry-after-ms": "1"})

    async def _released(self, *nothing):
        while not self.release.is_set():
            await asyncio.sleep(0.02)

    async def _blackhole(self, request, body, argument):
        await self._released()
        return await self._answer(request, body)

    async def _stall(self, request, body, argument):
        return await self._streamed(request, int(argument), self._released)

    async def _cut(self, request, body, argument):
        async def cut(request, response):
            await response.write(b'data: {"choi')
            request.transport.abort()

        return await self._streamed(request, int(argument), cut)

    async def _ends(self, request, body, argument):
        return await self._streamed(request, int(argument), lambda _, out: out.write_eof())

    async def _malformed(self, request, body, argument):
        async def nonsense(request, response):
            await response.write(b"data: {nonsense\n\n" + self.chunk({}, "stop"))
            await response.write(b"data: [DONE]\n\n")
            await response.write_eof()

        return await self._streamed(request, 1, nonsense)

    async def _html(self, request, body, argument):
        return web.Response(text="<html>\nhello</html>", content_type="text/html")

    async def _bomb(self, request, body, argument):
        # Quick to make: a busy machine would else be late before it is hostile.
        squeezed = gzip.compress(b"0" * (64 * 2**20), compresslevel=1)
        return web.Response(
            body=squeezed,
            headers={"content-encoding": "gzip", "content-type": "application/json"},
        )

    async def _redirect(self, request, body, argument):
        return web.Response(status=302, headers={"location": argument or "http://127.0.0.1:1/"})

    async def _endless(self, request, body, argument):
        async def line(request, response):
            for _ in range(80):
                await response.write(b"x" * 2**16)

        return await self._streamed(request, 1, line)


class FakeStudent:
    """Knows some inputs; `behave` replaces what it does."""

    family = "fake"

    def __init__(self, known, id="student-1"):
        self.id = id
        self.known = known
        self.behave = None
        self.asked = 0

    def predict(self, given):
        self.asked += 1
        if self.behave is not None:
            return self.behave(given)
        text = input_text(given)
        if text not in self.known:
            return Prediction({}, None, 0.0, abstained="novel input")
        value, confidence = self.known[text]
        answer = value if isinstance(value, Answer) else Answer(value)
        return Prediction({"": value}, answer, confidence)


def make_task(name, body, **more):
    """Return a task that recognises requests like `body` with any user text."""
    request = parse_request(json.dumps(body).encode())
    signature = Signature(
        request.tools.hash,
        request.output_format.hash,
        Template((request.messages[0].text,)),
    )
    return Task(
        f"id-{name}",
        name,
        signature,
        Anatomy("text", (), 10, 1.0, 1.0),
        Verdict("distil"),
        models={"gpt-taught": 9, "gpt-rare": 1},
        **more,
    )


def chat_body(user="hello", system=SYSTEM, **more):
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return {"model": "gpt-4o", "messages": messages, **more}


class World:
    """A gateway with everything around it; the policy can be changed while it runs."""

    def __init__(self, tmp_path, upstream):
        self.path = tmp_path / "calls.db"
        self.upstream = upstream
        self.generation = 1
        self.student = FakeStudent({"hello": ("greet", 0.99), "hm": ("greet", 0.4)})
        self.tasks = [make_task("intents", chat_body())]
        self.mode = "live"
        self.share = 1.0
        self.threshold, self.gate, self.behind = 0.8, 0.0, None
        self.routed = True
        self.load_error = None
        self.url = ""
        self.ring = KeyRing()
        self.purse = SqlitePurse(tmp_path / "spend.db")

    def keys(self, generation):
        return None if generation == self.ring.generation else self.ring

    def price(self, tier, model, usage):
        """A dollar a token, where the model has a price."""
        if not model or model == "priceless":
            return None
        return (usage.input_tokens + usage.output_tokens) * NANODOLLARS

    def desk(self):
        return Desk(self.keys, self.price, self.purse)

    def issue(self, name="team", *, usd=None, period="total", **more):
        """Make a virtual key that the gateway takes up; returns the key itself."""
        number = len(self.ring.keys)
        whole = f"sd-{number:012x}-{name}-{'s' * 40}"
        own = {k: more.pop(k) for k in ("tasks", "expires", "revoked") if k in more}
        allowance = Allowance(usd=usd, period=period, **more)
        digest = digest_of(whole.encode())
        key = VirtualKey(f"{number:012x}", name, digest, 1.0, allowance=allowance, **own)
        self.ring = KeyRing(self.ring.generation + 1, (*self.ring.keys, key))
        return whole

    def revoke(self, number):
        keys = list(self.ring.keys)
        keys[number] = msgspec.structs.replace(keys[number], revoked=2.0)
        self.ring = KeyRing(self.ring.generation + 1, tuple(keys))

    def loaded(self):
        routes = {}
        for task in self.tasks if self.routed else []:
            route = Route(task.id, self.student.id, "proof", self.threshold, self.mode, self.share)
            contract = contract_of(task, "data")
            routes[task.id] = LiveRoute(route, self.student, contract, self.gate, self.behind)
        return Loaded(TaskIndex(self.tasks), routes, self.generation)

    def load(self, generation):
        if generation is not None and self.load_error is not None:
            raise self.load_error
        return None if generation == self.generation else self.loaded()

    make_task = staticmethod(make_task)

    def lines(self):
        return [json.loads(line) for line in read_lines(self.path)]


@pytest.fixture
def upstream():
    with closing(FakeUpstream()) as made:
        yield made
        made.release.set()


@pytest.fixture
def world(tmp_path, upstream):
    made = World(tmp_path, upstream)
    yield made
    made.purse.close()


FAST = Timeouts(first_byte=1.0, answer=1.0, idle=0.5, connect=0.5, poll=0.05, drain=5.0)


@pytest.fixture
def start(world):
    """Start the world's gateway: start(**settings) returns its address."""
    with ExitStack() as stack:

        def go(**changes):
            timeouts = changes.pop("timeouts", FAST)
            given = {"port": 0, "base_url": world.upstream.url, "timeouts": timeouts, **changes}
            durability = changes.get("durability", "journal")
            outbox = stack.enter_context(closing(SqliteOutbox(world.path, durability=durability)))
            world.url = stack.enter_context(
                serving(Settings(**given), world.load, outbox, desk=world.desk())
            )
            world.stop = stack.close
            world.student.asked = 0  # warming up does not count
            return world.url

        yield go


@pytest.fixture
def wait():
    """Wait until something is so; for what happens beside the requests."""

    def until(condition, seconds=10.0):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    return until


@pytest.fixture
def body():
    """Make a request body: body(user, system, **fields)."""
    return chat_body


@pytest.fixture
def task_of():
    return make_task


class Reply(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)

    def decision(self):
        return tuple(self.headers.get(f"x-stepdown-{key}") for key in ("decision", "reason"))


def read_reply(data):
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = unchunked(body)
    return Reply(int(first.split()[1]), headers, body)


def unchunked(data):
    found = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        count = int(size, 16)
        if count == 0:
            break
        found, data = found + data[:count], data[count + 2 :]
    return found


def address(url):
    host, _, port = url.removeprefix("http://").rpartition(":")
    return host, int(port)


@pytest.fixture
def raw(world):
    """Send bytes on a connection of their own; returns all that came back until it closed."""

    def send(*parts, timeout=20.0, pause=0.0, url=None):
        with socket.create_connection(address(url or world.url), timeout=timeout) as connection:
            for part in parts:
                try:
                    connection.sendall(part)
                except OSError:
                    break  # refused before all was sent; the answer may still be there
                time.sleep(pause)
            received = b""
            with suppress(ConnectionResetError):
                while data := connection.recv(65536):
                    received += data
            return received

    return send


@pytest.fixture
def ask(raw):
    """Send one request and return its reply: ask("POST", path, value, headers)."""

    def go(method, path, value=None, headers=None, **how):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        if value is None:
            data = b""
        lines = {"host": "x", "connection": "close", "content-length": str(len(data))}
        lines |= headers or {}
        head = "".join(f"{k}: {v}\r\n" for k, v in lines.items())
        return read_reply(raw(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + data, **how))

    return go


@pytest.fixture
def complete(ask):
    """Ask for a chat completion."""

    def go(value, headers=None, path="/v1/chat/completions", **how):
        return ask("POST", path, value, headers, **how)

    return go


BY_WORD = {"easy": 0.1, "middling": 0.5, "hard": 0.9}


def scored(request):
    """The score that the last message names; None where it names none."""
    return BY_WORD.get(request.messages[-1].text)


def make(words):
    fake = FakeUpstream()
    fake.words = words
    return fake


@pytest.fixture
def tiers():
    """A small and a mid model, each behind an API of its own."""
    with closing(make(["from", "small"])) as small, closing(make(["from", "mid"])) as mid:
        yield small, mid
        small.release.set()
        mid.release.set()


def endpoint_of(fake, name, **more):
    return Endpoint(fake.url, f"sk-{name}", f"{name}-1", general=True, **more)


@pytest.fixture
def routed(start, tiers):
    """A gateway that routes calls of no known task."""

    def go(**settings):
        small, mid = tiers
        given = {
            "mid": endpoint_of(mid, "mid", answer=1.0, first_byte=1.0),
            "small": endpoint_of(small, "small", answer=1.0),
            "routing": Routing(scored),
            "retries": 0,
            **settings,
        }
        return start(**given)

    return go


def untasked(text, **more):
    """A request of no known task."""
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}
