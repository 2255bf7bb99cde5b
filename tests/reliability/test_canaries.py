"""P-1, P-2, P-5: after everything has been said, no secret is in anything that is kept or told."""

import http.client
import json
import os
import resource
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.cli.story import call, easy, write
from tests.reliability import canaries
from tests.reliability.canaries import arguments, credentials, particulars, spelt
from tests.reliability.processes import gateway_process

OWN = "gateways-own-canary-key-0001"
CLIENT = "clients-own-canary-key-0002"
CONFIG = """
[tiers.frontier]
base_url = "{url}"
api_key_env = "CANARY_KEY"
[serve]
client_keys_env = "CANARY_CLIENTS"
otlp_endpoint = "{url}"
access_log = "access.jsonl"
[store]
redact = ["credentials", "emails", "cards"]
"""


def turn(text, **more):
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}


def asked(said):
    """Return (path, raw body) of requests that hold a text in every place that is kept."""
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "f", "arguments": arguments([said])},
    }
    history = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": said},
    ]
    tool = {"type": "function", "function": {"name": "f", "description": said, "parameters": {}}}
    escaped = json.dumps(turn("SAID", metadata={"a": "SAID"})).replace("SAID", spelt(said))
    chat = "/v1/chat/completions"
    return [
        (chat, json.dumps(turn(said, metadata={"a": said, "stepdown_task": said}))),
        (chat, json.dumps(turn(said, stream=True), ensure_ascii=False)),
        (chat, json.dumps({"model": "gpt-4o", "messages": history, "tools": [tool]})),
        (chat, escaped),
        (chat, json.dumps(turn(said, model=said))),
        (chat, f'{{"broken": "{spelt(said)}'),
        ("/v1/messages", json.dumps({"max_tokens": 9, "system": said, **turn(said)})),
        ("/v1/responses", json.dumps({"model": "gpt-4o", "input": said, "instructions": said})),
        (f"/v1/embeddings?key={len(said)}", json.dumps({"model": "e", "input": said})),
    ]


def send(gateway, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    given = {"authorization": f"Bearer {CLIENT}", "content-type": "application/json", **headers}
    connection.request(method, path, None if body is None else body.encode(), given)
    reply = connection.getresponse()
    try:
        data = reply.read()
    except http.client.IncompleteRead as cut:  # what is relayed as it is breaks off as it does
        data = cut.partial
    told = str(reply.headers).encode() + (data if reply.status >= 400 else b"")
    connection.close()
    return told


def kept_in(folder):
    """Return all bytes of a folder's files, and the rows of its store."""
    found = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with closing(sqlite3.connect(folder / "calls.db")) as store:
        lines = [bytes(line) for (line,) in store.execute("SELECT line FROM calls")]
    # As it is read later: with its escapes undone.
    found["read"] = json.dumps([json.loads(x) for x in lines], ensure_ascii=False).encode()
    return found, lines


@pytest.mark.reliability
def test_p1_60_canaries_are_in_nothing_that_is_kept_or_told(tmp_path, upstream, figure):
    (tmp_path / "stepdown.toml").write_text(CONFIG.format(url=upstream.url), encoding="utf-8")
    env = {"CANARY_KEY": OWN, "CANARY_CLIENTS": CLIENT, "OTEL_LOG_LEVEL": "debug"}
    hidden, told = credentials(), []
    tracing = find_spec("opentelemetry.sdk") is not None
    personal = particulars()
    said = [text for _, text, _ in hidden] + [text for some in personal.values() for text in some]
    with gateway_process(tmp_path / "w", None, "--verbose", env=env.items()) as gateway:
        for number, text in enumerate(said):
            # The answer says it too, a letter a chunk; some answers are errors.
            upstream.words = list(text)
            upstream.fault = ("", "", "status:400", "cut:9")[number % 4]
            short = "".join(c for c in text if 32 <= ord(c) < 127)[:200]
            for path, body in asked(text):
                told.append(send(gateway, "POST", path, body, **{"x-stepdown-task": short}))
            told.append(send(gateway, "POST", "/v1/chat/completions", "{", authorization=short))
            told.append(send(gateway, "GET", f"/v1/{'x' if number % 2 else 'models/'}{number}"))
        shown = [send(gateway, "GET", path) for path in ("/metrics", "/readyz", "/v1/models")]
        files, lines = kept_in(gateway.workspace)
    # The upstream's double is the collector of spans as well.
    spans = [body for _, path, _, body in upstream.seen if path.endswith("/traces")]
    assert not tracing or spans
    assert len(hidden) + sum(map(len, personal.values())) >= 55
    assert len(lines) >= 6 * len(said)
    files |= {
        "stderr": "".join(gateway.stderr).encode(),
        "errors and headers": b"".join(told),
        "metrics": b"".join(shown),
        "spans": b"".join(spans),
        "access log": (tmp_path / "access.jsonl").read_bytes(),
    }
    secrets = {how: key for how, _, key in hidden} | {"own": OWN, "client": CLIENT}
    where = [
        (how, name)
        for how, key in secrets.items()
        for name, data in files.items()
        if key.encode() in data and name != "errors and headers"
    ]
    assert where == []
    assert [
        how for how in ("own", "client") if secrets[how].encode() in files["errors and headers"]
    ] == []
    recall = {
        name: sum(one.encode() not in files["read"] for one in some) / len(some)
        for name, some in personal.items()
    }
    assert recall["emails"] == recall["cards"] == 1
    figure(
        f"{len(hidden)} credentials in 9 places each: 0 found; recall "
        + ", ".join(f"{name} {share:.0%}" for name, share in recall.items())
    )


@pytest.mark.reliability
def test_p5_what_a_workspace_holds_is_nobody_elses(tmp_path, upstream, figure):
    (tmp_path / "stepdown.toml").write_text(CONFIG.format(url=upstream.url), encoding="utf-8")
    log = write(tmp_path / "log.jsonl", easy(600))
    space = tmp_path / "w"
    env = {"CANARY_KEY": OWN, "CANARY_CLIENTS": CLIENT}
    old = os.umask(0)
    try:
        command = [sys.executable, "-m", "stepdown", "run", log, "--workspace", space, "--json"]
        subprocess.run(
            command, cwd=tmp_path, env=os.environ | env, capture_output=True, check=False
        )
        with gateway_process(space, None, env=env.items()) as gateway:
            send(gateway, "POST", "/v1/chat/completions", json.dumps(turn("hi")))
            around = [Path(f"/proc/{gateway.pid}/{name}") for name in ("cmdline", "comm", "maps")]
            shown = b"".join(path.read_bytes() for path in around)
            cores = resource.prlimit(gateway.pid, resource.RLIMIT_CORE)
            found = list(space.rglob("*"))
            found.append(tmp_path / "access.jsonl")
            modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in [space, *found]}
    finally:
        os.umask(old)
    assert len(found) > 8
    assert {p.name: oct(mode) for p, mode in modes.items() if mode & 0o077} == {}
    assert OWN.encode() not in shown
    assert CLIENT.encode() not in shown
    assert cores == (0, 0)
    figure(f"{len(found)} files and folders of a workspace, all private under umask 0")


def test_there_are_60_of_them():
    count = len(credentials()) + sum(map(len, particulars().values()))
    assert count + len(("own", "client")) >= 60, count
    assert len(canaries.CREDENTIALS) == len(set(canaries.CREDENTIALS.values()))


ALL_KINDS = """
[tiers.frontier]
base_url = "{url}"
api_key_env = "CANARY_KEY"
[teacher]
base_url = "{url}"
api_key_env = "CANARY_KEY"
usd_per_million_input = 1
usd_per_million_output = 1
[store]
redact = ["credentials", "emails", "ibans", "cards", "ips", "phones", "ids"]
regions = ["US", "GB", "DE"]
"""
MORE = {
    "ibans": ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"],
    "ips": ["203.0.113.77", "2001:db8::beef:1"],
    "ids": ["536-90-4399", "36 574 261 809"],
}


@pytest.mark.reliability
def test_p1_canaries_go_through_every_command_and_stay_nowhere(
    tmp_path, upstream, figure, monkeypatch, capfdbinary
):
    for library in ("phonenumbers", "stdnum"):
        pytest.importorskip(library, reason="the extra privacy is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CANARY_KEY", OWN)
    Path("stepdown.toml").write_text(ALL_KINDS.format(url=upstream.url), encoding="utf-8")
    hidden, personal = credentials(), particulars() | MORE
    said = [text for _, text, _ in hidden] + [text for some in personal.values() for text in some]
    lines = list(easy(900))
    for number, one in enumerate(lines):
        text = said[number % len(said)]
        messages = one["request"]["messages"]
        messages[0]["content"] += f" Write to {canaries.EMAILS[0]} with {CREDENTIALS_OF_PROMPT}."
        messages[1]["content"] += f"\n{text}"
        one["request"]["user"] = canaries.EMAILS[number % 5]
        one["metadata"] = {"note": arguments([text])}
    log = write(tmp_path / "log.jsonl", lines)
    space = tmp_path / "w"
    commands = [
        ("run", log, "--json"),
        ("label", "TASK", "--teacher", "gpt-teacher", "-n", "20", "--max-usd", "1", "--yes"),
        ("label", "TASK"),
        ("export", "-o", space / "export.jsonl"),
        ("status",),
        ("prove", "TASK", "--json"),
    ]
    upstream.words = [f"{text} " for text in said[:30]]
    told = b""
    for command, *rest in commands:
        named = [_task_of(space) if one == "TASK" else one for one in rest]
        call(command, *named, "--workspace", space)
        out = capfdbinary.readouterr()
        told += out.out + out.err
    with gateway_process(space, upstream.url, env=[("CANARY_KEY", OWN)]) as gateway:
        for text in said:
            send(gateway, "POST", "/v1/chat/completions", json.dumps(turn(text)))
    files, kept = kept_in(space)
    assert len(kept) == len(said)
    assert {"labels.db", "export.jsonl"} <= files.keys()
    files["told"] = told
    # As it is read later: with its escapes undone, where it is JSON.
    for name, data in list(files.items()):
        files[f"{name}, read"] = data.replace(b"\\\\u0040", b"@").replace(b"\\\\/", b"/")
    secrets = {how: key for how, _, key in hidden} | {"own": OWN}
    where = [(how, n) for how, key in secrets.items() for n in files if key.encode() in files[n]]
    assert where == []
    declared = [text for kind, some in personal.items() if kind != "names" for text in some]
    found = [(text, name) for text in declared for name in files if text.encode() in files[name]]
    assert found == []
    figure(f"{len(secrets)} credentials, {len(declared)} particulars through all commands: 0")


CREDENTIALS_OF_PROMPT = canaries.CREDENTIALS["anthropic"]


def _task_of(space):
    (path,) = space.glob("tasks/*/task.json")
    return json.loads(path.read_bytes())["name"]
