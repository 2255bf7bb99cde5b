"""`stepdown serve --collect` as a process: no student answers, and an audit reads what is kept."""

import json
import os
import re
import signal
import subprocess
import sys

import msgspec
import openai
import pytest
from tests.cli.story import call, easy

from stepdown.cli.gateway.collecting import collecting, without_students
from stepdown.core.calls import Answer, Call
from stepdown.core.tasks import TaskIndex
from stepdown.providers.recorded import serve_recorded
from stepdown.serve.live import Loaded
from stepdown.serve.settings import Endpoint, Routing, Settings
from stepdown.wire.openai import parse_request


def parsed(line):
    body = json.dumps(line["request"]).encode()
    answer = line["response"]["choices"][0]["message"]["content"]
    return Call(line["id"], parse_request(body), Answer(answer), "m")


@pytest.fixture
def lines():
    return list(easy(1210))[1200:]


@pytest.fixture
def upstream(lines):
    with serve_recorded([parsed(line) for line in lines]) as url:
        yield url


@pytest.fixture
def collector(space, upstream):
    """`stepdown serve --collect` on a workspace whose student is sure of the calls that come."""
    command = [sys.executable, "-m", "stepdown", "serve", "--port", "0", "--collect"]
    with subprocess.Popen(
        [*command, "--upstream", upstream],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"STEPDOWN_WORKSPACE": str(space)},
        cwd=space.parent,
    ) as process:
        yield process
        process.kill()


def test_every_call_goes_upstream_is_kept_and_can_be_audited(collector, space, lines, capsys):
    said = [collector.stderr.readline() for _ in range(3)]
    address = re.search(r"Ready on (\S+)/v1;", said[0]).group(1)
    assert "1 task known" in said[1]
    assert f"OPENAI_BASE_URL={address}/v1    ANTHROPIC_BASE_URL={address}" in said[2]
    client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
    for line in lines:
        raw = client.chat.completions.with_raw_response.create(**line["request"])
        # The workspace's student is sure of these; it is not asked.
        assert raw.headers["x-stepdown-tier"] == "frontier"
        assert raw.headers["x-stepdown-decision"] == "relayed"
    collector.send_signal(signal.SIGTERM)
    ended = collector.stderr.read()
    assert collector.wait(10) == 0
    assert f"Collected {len(lines)} calls; {len(lines)} are kept in all." in ended
    assert "stepdown audit" in ended
    for source in (space, space / "calls.db"):
        assert call("audit", source, "--workspace", space, "--json") == 0
        report = json.loads(capsys.readouterr().out)
        assert report["calls"] == len(lines)
        assert [one["format"] for one in report["sources"]] == ["native"]


def test_another_workspace_is_a_log_too(collector, space, lines, tmp_path, capsys):
    address = re.search(r"Ready on (\S+);", collector.stderr.readline()).group(1)
    client = openai.OpenAI(base_url=address, api_key="none", max_retries=0)
    for line in lines:
        client.chat.completions.create(**line["request"])
    collector.send_signal(signal.SIGTERM)
    collector.wait(10)
    assert call("audit", space, "--workspace", tmp_path / "other", "--json") == 0
    assert json.loads(capsys.readouterr().out)["calls"] == len(lines)


def test_a_store_without_a_call_says_how_to_get_some(tmp_path, capsys):
    assert call("audit", tmp_path / "none", "--workspace", tmp_path / "none") == 2
    assert "stepdown serve --collect" in capsys.readouterr().err


def test_a_folder_of_logs_may_be_the_workspace(tmp_path, capsys):
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in easy(10)))
    assert call("audit", tmp_path, "--workspace", tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["calls"] == 10


def test_without_an_upstream_each_dialect_goes_to_its_maker():
    settings = collecting(Settings())
    assert settings.base_url == "https://api.openai.com/v1"
    assert settings.messages.base_url == "https://api.anthropic.com"
    assert settings.api_key is None
    named = collecting(Settings(base_url="http://127.0.0.1:1/v1"))
    assert named.base_url == "http://127.0.0.1:1/v1"
    assert named.messages is None


def test_nothing_is_answered_by_another_tier():
    mid = Endpoint("http://127.0.0.1:1/v1")
    told = Routing(compare_share=0.5)
    settings = collecting(Settings(mid=mid, small=mid, audit_share=0.1, routing=told))
    assert (settings.mid, settings.small, settings.audit_share) == (None, None, 0.0)
    assert settings.routing == Routing()


def test_a_policy_is_told_without_its_routes():
    policy = Loaded(TaskIndex([]), {"t": msgspec.UNSET}, 3, {"t": "broken"}, {"t": "note"})
    load = without_students(lambda generation: None if generation == 3 else policy)
    found = load(None)
    assert (found.routes, found.problems, found.notes, found.generation) == ({}, {}, {}, 3)
    assert load(3) is None
