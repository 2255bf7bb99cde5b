"""OpenAI's and Anthropic's APIs on loopback, as far as labelling needs them: answers and batches.

The last word of the last user turn is the answer, but for a few: "refuse", "bad" (400), "denied"
(401), "busy" (429), "expire" (a batch's item that is never run), "gone" (one that is missing from
the results). What the real ones refuse is refused here. Run as a program it prints its root and
serves till it is killed; `/script` says how it behaves, `/counts` what it was asked.
"""

import asyncio
import json
import re
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from aiohttp import web

LARGEST = 400 * 10**6
CHAT = "/v1/chat/completions"
KNOWN = (
    *("model", "max_tokens", "messages", "system", "temperature", "top_p", "top_k", "tools"),
    *("stop_sequences", "tool_choice", "output_config", "metadata", "stream", "thinking"),
)
USED = {"input_tokens": 100, "output_tokens": 10}


class Fake:
    """What both APIs remember; `script` is what a test changes."""

    def __init__(self):
        self.answer = last_word
        self.files = {}
        self.batches = []  # newest first
        self.message_batches = []
        self.asked = []  # bodies that were answered one by one
        self.items = []  # keys of a batch's items that were run
        self.waiting = self.looks = self.failed = 0
        self.script = {"polls": 1, "end": "completed", "hang": "", "page": 100, "fail": {}}

    def ordered(self):
        """Return the keys of all items in all batches that were created: what is billed."""
        ids = [one["custom_id"] for batch in self.message_batches for one in batch["_requests"]]
        for batch in self.batches:
            lines = self.files[batch["input_file_id"]].splitlines()
            ids += [json.loads(line)["custom_id"] for line in lines]
        return sorted(ids)

    def counts(self):
        return {
            "asked": len(self.asked),
            "files": len(self.files),
            "batches": len(self.batches),
            "message_batches": len(self.message_batches),
            "items": self.items,
            "waiting": self.waiting,
        }


def last_word(text):
    return text.split()[-1].strip('."')


def said_to(text, answer):
    """Return (status, answer) for a text."""
    return {"bad": 400, "denied": 401, "busy": 429}.get(last_word(text), 200), answer(text)


def chat(body, answer=last_word):
    """Answer a chat request: (status, body)."""
    if not body.get("messages"):
        return 400, {"error": {"message": "no messages", "type": "invalid_request_error"}}
    status, word = said_to(body["messages"][-1]["content"], answer)
    if status != 200:
        return status, {"error": {"message": word, "type": "invalid_request_error", "code": None}}
    message = {"role": "assistant", "content": word, "refusal": None}
    if word == "refuse":
        message |= {"content": None, "refusal": "I can't help with that."}
    return 200, {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }


def anthropic_error(status, kind, message):
    return status, {"type": "error", "error": {"type": kind, "message": message}}


def message(body, answer=last_word):
    """Answer a messages request: (status, body)."""
    strange = set(body).difference(KNOWN)
    if strange or not isinstance(body.get("max_tokens"), int) or not body.get("messages"):
        return anthropic_error(400, "invalid_request_error", f"extra or missing: {strange}")
    content = body["messages"][-1]["content"]
    text = (
        content if isinstance(content, str) else content[-1].get("text") or content[-1]["content"]
    )
    status, word = said_to(text, answer)
    if status != 200:
        kinds = {400: "invalid_request_error", 401: "authentication_error"}
        kind = kinds.get(status, "rate_limit_error")
        return anthropic_error(status, kind, word)
    blocks, reason = [{"type": "text", "text": word}], "end_turn"
    if word == "refuse":
        blocks, reason = [], "refusal"
    choice = body.get("tool_choice") or {}
    if choice.get("type") in ("any", "tool"):
        name = choice.get("name") or body["tools"][0]["name"]
        reason = "tool_use"
        blocks = [{"type": "tool_use", "id": "toolu_1", "name": name, "input": {"word": word}}]
    elif (body.get("output_config") or {}).get("format"):
        blocks = [{"type": "text", "text": json.dumps({"word": word})}]
    return 200, {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": blocks,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": USED | {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0},
    }


# OpenAI's batches


def created(fake, asked):
    """Validate a batch's file as they do, after the batch was accepted."""
    lines = [json.loads(line) for line in fake.files[asked["input_file_id"]].splitlines()]
    faults = []
    if len({line["custom_id"] for line in lines}) < len(lines):
        faults.append({"code": "duplicate_custom_id", "message": "custom_id is not unique"})
    if any(line["url"] != asked["endpoint"] or line["method"] != "POST" for line in lines):
        faults.append({"code": "invalid_url", "message": "url is not the endpoint"})
    if len({line["body"]["model"] for line in lines}) > 1:
        faults.append({"code": "mismatched_model", "message": "several models"})
    batch = {
        "id": f"batch_{len(fake.batches)}",
        "object": "batch",
        "endpoint": asked["endpoint"],
        "completion_window": asked["completion_window"],
        "input_file_id": asked["input_file_id"],
        "status": "validating",
        "created_at": int(time.time()),
        "metadata": asked.get("metadata"),
        "errors": {"object": "list", "data": faults} if faults else None,
        "output_file_id": None,
        "error_file_id": None,
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "_polls": 0,
    }
    fake.batches.insert(0, batch)
    return batch


def polled(fake, batch):
    """Let a batch go on by one look at it."""
    if batch["status"] in ("completed", "failed", "expired", "cancelled"):
        return
    batch["_polls"] += 1
    lines = [json.loads(line) for line in fake.files[batch["input_file_id"]].splitlines()]
    if batch["errors"]:
        batch["status"] = "failed"
    elif fake.script["end"] == "invalid":
        batch["status"] = "failed"
        fault = {"code": "invalid", "message": "The file is not valid"}
        batch["errors"] = {"object": "list", "data": [fault]}
    elif batch["_polls"] <= fake.script["polls"]:
        batch["status"] = "in_progress"
        batch["request_counts"] = {"total": len(lines), "completed": 0, "failed": 0}
    elif batch["status"] == "in_progress":
        batch["status"] = "finalizing"
    else:
        finished(fake, batch, lines)


def finished(fake, batch, lines):
    batch["status"] = fake.script["end"]
    good, wrong = [], []
    for number, line in enumerate(lines):
        head = {"id": f"batch_req_{number}", "custom_id": line["custom_id"]}
        word = line["body"]["messages"][-1]["content"].split()[-1]
        if word == "gone":
            continue
        if word == "expire" and batch["status"] != "completed":
            error = {"code": f"batch_{batch['status']}", "message": "This request was not run."}
            wrong.append(head | {"response": None, "error": error})
            continue
        fake.items.append(line["custom_id"])
        status, body = chat(line["body"], fake.answer)
        reply = {"status_code": status, "request_id": f"req_{number}", "body": body}
        (good if status == 200 else wrong).append(head | {"response": reply, "error": None})
    batch["request_counts"] = {"total": len(lines), "completed": len(good), "failed": len(wrong)}
    for name, found in (("output_file_id", good), ("error_file_id", wrong)):
        if found:
            batch[name] = f"file-{name}-{batch['id']}"
            fake.files[batch[name]] = "".join(f"{json.dumps(line)}\n" for line in found[::-1])


# Anthropic's batches


def message_batch(fake, asked):
    """Create one: (status, body)."""
    ids = [one["custom_id"] for one in asked["requests"]]
    if not ids or len(set(ids)) < len(ids):
        return anthropic_error(400, "invalid_request_error", "custom_ids must be unique")
    if not all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", id) for id in ids):
        return anthropic_error(400, "invalid_request_error", "custom_id has the wrong form")
    batch = {
        "id": f"msgbatch_{len(fake.message_batches)}",
        "type": "message_batch",
        "processing_status": "in_progress",
        "request_counts": dict.fromkeys(("canceled", "errored", "expired", "succeeded"), 0)
        | {"processing": len(ids)},
        "created_at": datetime.now(UTC).isoformat(),
        "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
        "ended_at": None,
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": None,
        "_polls": 0,
        "_requests": asked["requests"],
    }
    fake.message_batches.insert(0, batch)
    return 200, batch


def message_polled(fake, batch, root):
    batch["_polls"] += 1
    if batch["processing_status"] == "ended" or batch["_polls"] <= fake.script["polls"]:
        return
    batch["processing_status"] = "ended"
    batch["results_url"] = f"{root}/v1/messages/batches/{batch['id']}/results"
    results = []
    for one in batch["_requests"][::-1]:
        word = str(one["params"]["messages"][-1]["content"][-1].get("text")).split()[-1]
        if word == "gone":  # their counts have all that there was
            batch["request_counts"]["errored"] += 1
            continue
        if word == "expire" and fake.script["end"] != "completed":
            result = {"type": "canceled" if fake.script["end"] == "cancelled" else "expired"}
        else:
            fake.items.append(one["custom_id"])
            status, body = message(one["params"], fake.answer)
            result = {"type": "succeeded", "message": body}
            if status != 200:
                result = {"type": "errored", "error": body}
        batch["request_counts"][result["type"]] += 1
        batch["request_counts"]["processing"] -= 1
        results.append({"custom_id": one["custom_id"], "result": result})
    batch["request_counts"]["processing"] = 0
    batch["_results"] = "".join(f"{json.dumps(line)}\n" for line in results)


def plain(batch):
    return {name: value for name, value in batch.items() if not name.startswith("_")}


class Endpoints:
    """Both APIs at one root."""

    def __init__(self, fake):
        self.fake = fake

    async def chat(self, request):
        body = await request.json()
        self.fake.asked.append(body)
        status, said = chat(body, self.fake.answer)
        return web.json_response(said, status=status, headers={"retry-after": "7"})

    async def message(self, request):
        body = await request.json()
        self.fake.asked.append(body)
        status, said = message(body, self.fake.answer)
        return web.json_response(said, status=status, headers={"retry-after": "7"})

    async def upload(self, request):
        form = await request.post()
        if form["purpose"] != "batch":
            return web.json_response({"error": {"message": "purpose"}}, status=400)
        data = form["file"].file.read().decode()
        id = f"file-{len(self.fake.files)}"
        self.fake.files[id] = data
        file = {"id": id, "object": "file", "bytes": len(data), "created_at": 1, "purpose": "batch"}
        return web.json_response(file | {"filename": form["file"].filename, "status": "processed"})

    async def content(self, request):
        return web.Response(text=self.fake.files[request.match_info["id"]])

    async def hang(self, when):
        if self.fake.script["hang"] == when:
            self.fake.waiting += 1
            while self.fake.script["hang"] == when:
                await asyncio.sleep(0.01)
            raise web.HTTPServiceUnavailable
        if self.fake.script["hang"] == "late" and when == "before":
            self.fake.waiting += 1
            await asyncio.sleep(0.3)
            self.fake.waiting -= 1

    async def create(self, request):
        asked = await request.json()
        await self.hang("before")
        batch = created(self.fake, asked)
        await self.hang("after")
        return web.json_response(plain(batch))

    async def create_messages(self, request):
        asked = await request.json()
        await self.hang("before")
        status, batch = message_batch(self.fake, asked)
        await self.hang("after")
        return web.json_response(plain(batch), status=status)

    def page(self, request, all_of_them, after):
        limit = min(int(request.query.get("limit", 20)), self.fake.script["page"])
        ids = [batch["id"] for batch in all_of_them]
        start = ids.index(request.query[after]) + 1 if after in request.query else 0
        found = [plain(batch) for batch in all_of_them[start : start + limit]]
        ends = {"first_id": found[0]["id"], "last_id": found[-1]["id"]} if found else {}
        told = {"object": "list", "data": found, "has_more": start + limit < len(ids)}
        return web.json_response(told | {"first_id": None, "last_id": None} | ends)

    async def listed(self, request):
        return self.page(request, self.fake.batches, "after")

    async def listed_messages(self, request):
        return self.page(request, self.fake.message_batches, "after_id")

    async def look(self, request):
        batch = found(request, self.fake.batches)
        polled(self.fake, batch)
        return web.json_response(plain(batch))

    async def look_messages(self, request):
        batch = found(request, self.fake.message_batches)
        message_polled(self.fake, batch, f"http://{request.host}")
        return web.json_response(plain(batch))

    async def results(self, request):
        batch = found(request, self.fake.message_batches)
        if "_results" not in batch:
            return web.json_response({"error": {"message": "not ended"}}, status=404)
        return web.Response(text=batch["_results"])

    async def script(self, request):
        self.fake.script |= await request.json()
        return web.json_response(self.fake.script)

    async def counts(self, request):
        return web.json_response(self.fake.counts())


def found(request, among):
    for batch in among:
        if batch["id"] == request.match_info["id"]:
            return batch
    raise web.HTTPNotFound(text='{"error": {"message": "no such batch"}}')


def checked(at, name, handler):
    async def handle(request):
        known = request.headers.get("authorization") == "Bearer key" or (
            request.headers.get("x-api-key") == "key" and "anthropic-version" in request.headers
        )
        if not known:
            return web.json_response({"error": {"message": "who are you?"}}, status=401)
        failing = at.fake.script["fail"].get(f"{request.method} {name}")
        at.fake.looks += "{id}" in name
        at.fake.failed += bool(failing)
        if failing == "before":
            return web.json_response({"error": {"message": "down"}}, status=500)
        if failing == "gone":
            return web.json_response({"error": {"message": "no such thing"}}, status=404)
        if failing == "later":
            headers = {"retry-after": "7200"}
            return web.json_response({"error": {"message": "x"}}, status=429, headers=headers)
        answer = await handler(request)
        if failing == "after":
            return web.json_response({"error": {"message": "down"}}, status=500)
        if failing == "cut":
            half = web.StreamResponse(headers={"content-length": str(len(answer.body))})
            await half.prepare(request)
            await half.write(answer.body[: len(answer.body) // 2])
            request.transport.close()
            return half
        return answer

    return handle


def application(fake):
    """Return both APIs at one root."""
    at = Endpoints(fake)
    app = web.Application(client_max_size=LARGEST)
    for method, path, handler in (
        ("POST", CHAT, at.chat),
        ("POST", "/v1/messages", at.message),
        ("POST", "/v1/files", at.upload),
        ("GET", "/v1/files/{id}/content", at.content),
        ("POST", "/v1/batches", at.create),
        ("GET", "/v1/batches", at.listed),
        ("GET", "/v1/batches/{id}", at.look),
        ("POST", "/v1/messages/batches", at.create_messages),
        ("GET", "/v1/messages/batches", at.listed_messages),
        ("GET", "/v1/messages/batches/{id}", at.look_messages),
        ("GET", "/v1/messages/batches/{id}/results", at.results),
    ):
        app.router.add_route(method, path, checked(at, path, handler))
    app.router.add_post("/script", at.script)
    app.router.add_get("/counts", at.counts)
    return app


async def started(fake):
    runner = web.AppRunner(application(fake), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


async def _ended(runner):
    await runner.cleanup()
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


@contextmanager
def fake_apis():
    """Serve from a thread until the block ends: (the fake, its root without /v1)."""
    fake, loop = Fake(), asyncio.new_event_loop()
    runner, root = loop.run_until_complete(started(fake))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield fake, root
    finally:
        asyncio.run_coroutine_threadsafe(_ended(runner), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve():
    fake = Fake()
    if "story" in sys.argv:
        from tests.cli.teaching import topic_of

        fake.answer = topic_of
    _, root = await started(fake)
    sys.stdout.write(f"{root}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
