"""A teacher that bills: answers chat completions on a socket, and writes down every call it got."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

from aiohttp import web
from tests.app_thread import AppThread
from tests.cli.story import TOPICS

READ, WRITTEN = 2_500_000_000_000, 10_000_000_000_000
"""Attodollars a token: 2.5 and 10 dollars a million."""

PRICED = "usd_per_million_input = 2.5\nusd_per_million_output = 10.0\n"


def topic_of(text):
    """Return the topic that a message of the story is about."""
    words = text.split()
    return max(sorted(TOPICS), key=lambda topic: sum(word in TOPICS[topic] for word in words))


class FakeTeacher(AppThread):
    """`bill` has (message, attodollars) for each call that arrived; `script` how not to answer.

    It has for each message the faults that its tries meet, and for all others those of "*".
    """

    def __init__(self, latency=0.0):
        self.latency = latency
        self.bill = []
        self.script = {}
        self.says = "no"
        self.after: Callable[[int], None] | None = None
        self.answer = topic_of
        self.usage: Callable[[int], object] | None = None  # in place of the true one
        self.whole = None  # in place of `answer`: what to say to a whole body, or None
        self.at_once = self.most_at_once = 0
        self.tries = Counter()
        super().__init__("/v1/chat/completions", self._handle, "teacher")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def billed(self):
        return sum(cost for _, cost in self.bill)

    @property
    def calls(self):
        """How often each message was asked."""
        return Counter(text for text, _ in self.bill)

    def _said(self, asked, text):
        found = self.whole(asked) if self.whole is not None else None
        return self.answer(text) if found is None else found

    async def _handle(self, request):
        body = await request.read()
        asked = json.loads(body)
        text = asked["messages"][-1]["content"]
        self.tries[text] += 1
        faults = self.script.get(text, self.script.get("*", ()))
        fault = faults[self.tries[text] - 1] if self.tries[text] <= len(faults) else ""
        if fault and fault[0] in "345":
            status, _, wait = fault.partition(":")
            headers = {"retry-after": wait} if wait else {}
            return web.json_response(
                {"error": {"message": self.says}}, status=int(status), headers=headers
            )
        usage = {"prompt_tokens": len(body) // 5, "completion_tokens": 3}
        odd = self.usage(len(self.bill)) if self.usage is not None else None
        self.bill.append((text, usage["prompt_tokens"] * READ + 3 * WRITTEN))
        if self.after is not None:
            self.after(len(self.bill))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(5 if fault == "slow" else self.latency)
        finally:
            self.at_once -= 1
        return _response(
            request, fault, _completion(asked["model"], self._said(asked, text), odd or usage)
        )


def _completion(model, answer, usage):
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": answer},
        "finish_reason": "stop",
    }
    return {
        "id": "x",
        "object": "chat.completion",
        "model": model,
        "choices": [choice],
        "usage": usage,
    }


def _response(request, fault, completion):
    message = completion["choices"][0]["message"]
    if fault == "cut":
        request.transport.abort()
    elif fault == "html":
        return web.Response(text="<html>Bad gateway</html>", content_type="text/html")
    elif fault == "error":
        return web.json_response({"error": {"message": "try later", "code": 500}})
    elif fault == "half":
        return web.Response(text='data: {"choices": [{"delta": {"content": "ca')
    elif fault == "refusal":
        message |= {"content": None, "refusal": "I can't help with that."}
    elif fault == "other":
        message["content"] = "something else"
    return web.json_response(completion)


def write_config(folder, teacher, more=PRICED, second=0):
    """Write a stepdown.toml that names the teacher, and the share of second questions."""
    path = folder / "stepdown.toml"
    own = f'[teacher]\nbase_url = "{teacher.url}"\n{more}'
    path.write_text(f"{own}[defaults]\nsecond_questions = {second}\n", encoding="utf-8")
    return path


def command(*arguments):
    """Start the command line as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "stepdown", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"NO_COLOR": "1"},
        text=True,
    )
