"""An audit by shards says what one process says, to the byte, whatever the shards fall upon."""

import copy
import json
import random
from collections import deque

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.audit.prompts import filled

from stepdown import plugins
from stepdown.audit import Counting, counting, grouping, report_on, tally
from stepdown.cli.sharding import count_shards, sort_calls, sort_shards
from stepdown.core.tasks import TaskIndex
from stepdown.logs import read_calls, shards
from stepdown.logs.reading import Reading

LAYOUTS = [
    ("You sort the mail of a shop. Today is {date}.", "{text}"),
    ("", "Classify the following message of {name}:\n\n{text}\n\nLabel:"),
    ("You are an assistant. Agent on duty: {name}.", "Translate. Ref {id}\n---\n{text}"),
    ("Extract the order number as JSON and nothing else.", "Customer: {text}"),
    ("", "{text} {text}"),
    ("", "Reply to our customer in one warm sentence, as {name} would do it, please: {text}"),
]


class Beside:
    """An engine whose workers see copies, and are several items ahead of what was taken over."""

    name = "beside"
    workers = 2

    def __init__(self, behind=4):
        self.behind = behind
        self.asked = 0

    def map(self, work, items, ahead=2):
        pending = deque()
        for item in items:
            self.asked += 1
            pending.append(work(copy.deepcopy(item)))
            if len(pending) >= self.behind:
                yield pending.popleft()
        yield from pending

    def asking(self, connect):
        return connect()

    def close(self):
        pass


def line(pick, number):
    # Some tasks come late, some calls are like no other, some lines come twice.
    layouts = LAYOUTS[: 2 + number // 60]
    system, user = pick.choice(layouts)
    messages = [{"role": "user", "content": filled(user, pick)}]
    if system:
        messages.insert(0, {"role": "system", "content": filled(system, pick)})
    model = pick.choice(["gpt-5.2", "gpt-5-mini", "unheard-of"])
    request = {"model": model, "messages": messages, pick.choice("abcdefgh"): pick.randint(1, 9)}
    if pick.random() < 0.2:
        request["tools"] = [{"type": "function", "function": {"name": pick.choice("fg")}}]
    answer = {"role": "assistant", "content": pick.choice(["billing", "cards", "é — ”"])}
    return json.dumps(
        {
            "id": f"call-{number if pick.random() < 0.97 else pick.randint(0, number)}",
            "time": 1_790_000_000 + 900 * number,
            "request": request,
            "response": {
                "model": model,
                "choices": [{"index": 0, "message": answer, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": pick.randint(1, 400), "completion_tokens": 5},
            },
            "latency_ms": pick.randint(300, 3000),
            "metadata": {"team": pick.choice("xyz"), "key": f"k{pick.randint(0, 40)}"},
        }
    )


def write(folder, seed, count=420):
    pick = random.Random(seed)
    lines = [line(pick, number) for number in range(count)]
    for at in pick.sample(range(1, count), 8):
        lines[at] = pick.choice(["", "{", '{"request": 1}', "  ", lines[at][:50]])
    path = folder / "log.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def here(path):
    coverage = []
    counted = Counting()
    for call in read_calls([path], plugins.log_formats(), coverage):
        counted.add(call)
    return msgspec.json.encode(report_on(counted, coverage))


def beside(path, engine):
    coverage = []
    reading, counted = Reading(coverage), Counting()
    cuts = shards.shards_of(reading, [path], plugins.log_formats())
    count_shards(engine, cuts, reading, counted)
    reading.finish()
    return msgspec.json.encode(report_on(counted, coverage)), counted


@pytest.fixture
def small(monkeypatch):
    """Limits so small that a short log comes upon all of them."""
    monkeypatch.setattr(shards, "_LINES", 7)
    for name, value in (("_BATCH", 30), ("_HELD", 6), ("_RARE_TASK", 4), ("_FREE", 40)):
        monkeypatch.setattr(grouping, name, value)
    for name, value in (("SAMPLE_CALLS", 12), ("SAMPLE_BYTES", 9_000), ("_PARAM_FIELDS", 4)):
        monkeypatch.setattr(tally, name, value)
    for name, value in (("_CHECKED_EVERY", 16), ("_SAMPLE_BYTES", 40_000), ("_REPEAT_ENTRIES", 90)):
        monkeypatch.setattr(counting, name, value)


@given(seed=st.integers(0, 10**6), behind=st.integers(1, 5), rest=st.sampled_from([0.02, 0.4]))
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_shards_count_as_one_process_does(small, tmp_path, monkeypatch, seed, behind, rest):
    monkeypatch.setattr(grouping, "_SHARE", rest)
    path = write(tmp_path, seed)
    engine = Beside(behind)
    found, _ = beside(path, engine)
    assert found == here(path)
    assert engine.asked > 10


def test_most_parts_are_taken_over_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_LINES", 40)
    monkeypatch.setattr(grouping, "_BATCH", 200)
    path = write(tmp_path, 3, count=2_000)
    engine = Beside()
    found, counted = beside(path, engine)
    assert found == here(path)
    assert counted.taken > 0.2 * engine.asked


def test_calls_of_two_exports_and_of_two_readings_count_and_sort_alike(small, tmp_path):
    """What has other ids in another file, no ids, or no answer, is what one process makes of it."""
    own = random.Random(5)
    lines = [json.loads(line(own, number)) for number in range(240)]
    for at, row in enumerate(lines):
        if at % 3 == 0:
            row.pop("id")
        if at % 7 == 0:
            row["response"] = None
    renamed = [row | {"id": f"other-{at}"} for at, row in enumerate(lines)]
    for name, rows in (("a", lines[:200] + lines[:40]), ("b", renamed), ("c", lines[100:])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    path = str(tmp_path)
    found, _ = beside(path, Beside())
    assert found == here(path)
    coverage = []
    reading = Reading([], unanswered=True)
    cuts = shards.shards_of(reading, [path], plugins.log_formats())
    tasks = TaskIndex([])
    sorted_ = list(sort_shards(Beside(), cuts, reading, tasks, frozenset([""])))
    calls = read_calls([path], plugins.log_formats(), coverage, unanswered=True)
    assert sorted_ == list(sort_calls(calls, tasks, frozenset([""])))
    assert sum(b"unanswered" in data for _, data in sorted_) > 30
    assert sum(entry.duplicates for entry in coverage) > 200
