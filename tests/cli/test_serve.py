"""`stepdown serve` as a process: a student answers, the rest goes upstream, SIGTERM ends it."""

import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import weakref
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import openai
import pytest
from safetensors.numpy import load_file, save_file
from tests.cli.story import easy, flip_last_byte

from stepdown.cli.options import Session
from stepdown.cli.serve import loader, settings_of
from stepdown.config import Config, ServeConfig, TierConfig, load_config
from stepdown.errors import ConfigError
from stepdown.serve.settings import Endpoint
from stepdown.store.sqlite import read_tallies
from stepdown.workspace import Workspace
from stepdown.workspace.artefacts import publish_student, verify_student
from stepdown.workspace.policies import change_policy, rolled_back


@pytest.fixture
def gateway(space, upstream):
    """A running gateway: (address, process, workspace)."""
    command = [sys.executable, "-m", "stepdown", "serve", "--port", "0", "--upstream", upstream]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        cwd=space,
        env=os.environ | {"STEPDOWN_WORKSPACE": str(space)},
    ) as process:
        address = re.search(r"Ready on (\S+);", process.stderr.readline()).group(1)
        yield address, process, space
        process.kill()


def test_a_confident_call_is_answered_and_captured(gateway):
    address, process, space = gateway
    sent = next(item for item in easy(50, seed=5))
    with openai.OpenAI(base_url=address, api_key="k", max_retries=0) as client:
        raw = client.chat.completions.with_raw_response.create(**sent["request"])
        assert raw.headers["x-stepdown-decision"] == "answered"
        assert raw.headers["x-stepdown-tier"] == "small"
        expected = sent["response"]["choices"][0]["message"]["content"]
        assert raw.parse().choices[0].message.content == expected
        other = client.chat.completions.with_raw_response.create(
            model="m", messages=[{"role": "user", "content": "hi"}]
        )
        assert other.headers["x-stepdown-decision"] == "relayed"
        assert other.headers["x-stepdown-reason"] == "no_route"
        assert other.parse().choices[0].message.content == "hello"
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    tallies = {tally.decision: tally.count for tally in read_tallies(space / "calls.db")}
    assert tallies == {"answered": 1, "relayed": 1}


@pytest.mark.parametrize(
    "text", ["Где моя посылка и когда она придёт?", "%" * 100_000, "\n", "card fee " * 400]
)
def test_a_message_unlike_the_log_goes_upstream_as_novel(gateway, text):
    address, _, _ = gateway
    asked = next(item for item in easy(50, seed=5))["request"]
    asked["messages"][-1]["content"] = text
    with (
        openai.OpenAI(base_url=address, api_key="k", max_retries=0) as client,
        pytest.raises(openai.APIStatusError) as told,
    ):
        # The upstream has never heard it either, and says so.
        client.chat.completions.create(**asked)
    headers = told.value.response.headers
    assert (headers["x-stepdown-decision"], headers["x-stepdown-reason"]) == ("escalated", "novel")


def test_a_second_gateway_on_the_workspace_and_a_port_in_use_are_exit_2(gateway, tmp_path):
    address, _, space = gateway
    port = address.split(":")[-1].removesuffix("/v1")
    for workspace, arguments in ((space, ("--port", "0")), (tmp_path, ("--port", port))):
        done = subprocess.run(
            [sys.executable, "-m", "stepdown", "serve", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"STEPDOWN_WORKSPACE": str(workspace)},
            cwd=tmp_path,
        )
        assert done.returncode == 2
        assert done.stderr.startswith("stepdown: ")
        assert done.stderr.count("\n") == 1


def test_p5_secrets_are_nowhere_that_others_look(gateway):
    _, process, space = gateway
    limits = Path(f"/proc/{process.pid}/limits").read_text("utf-8")
    (core,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core.split()[4:6] == ["0", "0"]
    modes = {path.stat().st_mode & 0o777 for path in space.glob("calls.db*")}
    assert modes == {0o600}


def test_a_corrupt_student_is_reported_and_its_task_escalates(space):
    (folder,) = space.glob("tasks/*/students/*")
    weights = folder / "weights.safetensors"
    flip_last_byte(weights)
    loaded = loader(Workspace(space))(None)
    assert loaded.routes == {}
    assert "stepdown train" in next(iter(loaded.problems.values()))


def test_a_refused_student_is_named_when_the_gateway_starts(space, upstream):
    (folder,) = space.glob("tasks/*/students/*")
    flip_last_byte(folder / "weights.safetensors")
    command = [sys.executable, "-m", "stepdown", "serve", "--port", "0", "--upstream", upstream]
    with subprocess.Popen(
        [*command, "--workspace", space], stderr=subprocess.PIPE, text=True, cwd=space
    ) as process:
        said = [process.stderr.readline() for _ in range(3)]
        process.kill()
    assert said[1] == "Routed to students: nothing.\n"
    assert "goes upstream: Student" in said[2]
    assert "stepdown train" in said[2]


def test_the_loader_tells_a_new_generation_from_the_old(space):
    load = loader(Workspace(space))
    first = load(None)
    assert load(first.generation) is None
    (task,) = first.routes
    change_policy(space / "policy.json", task, rolled_back)
    assert load(first.generation).routes == {}


def retrained(space):
    """A second student of the task: the first under another dataset's name; returns its id."""
    (folder,) = space.glob("tasks/*/students/*")
    manifest = verify_student(folder)
    draft = {
        name: getattr(manifest, name)
        for name in ("task", "dataset", "contract", "made_at", "candidates", "share")
    }
    copied = Copied(manifest.family, folder)
    made, _ = publish_student(folder.parent, copied, None, draft | {"dataset": "other"})
    return made


def reweighted(space, most):
    """The task's student, published where its weights were others by some thousandths."""
    (folder,) = space.glob("tasks/*/students/*")
    manifest = verify_student(folder)
    names = ("task", "contract", "made_at", "golden", "golden_version")
    facts = {name: getattr(manifest, name) for name in names}

    class Shifted(Copied):
        def save(self, student, folder):
            super().save(student, folder)
            path = folder / "weights.safetensors"
            arrays = {name: np.copy(one) for name, one in load_file(path).items()}
            for name in arrays:
                if name.startswith("head."):
                    arrays[name] *= np.float32(1 + most)
            save_file(arrays, path)

    saver = Shifted(manifest.family, folder)
    return publish_student(folder.parent, saver, None, facts | {"dataset": f"by {most}"})[0]


@pytest.mark.parametrize(("most", "serves"), [(1e-5, True), (0.05, False)])
def test_m8_a_student_that_says_other_things_here_is_refused(space, most, serves, figure):
    load = loader(Workspace(space))
    ((task, _),) = load(None).routes.items()
    made = reweighted(space, most)
    change_policy(space / "policy.json", task, to_student(made.name))
    # As at a start, with no student in memory that could answer on.
    loaded = loader(Workspace(space))(None)
    assert (task in loaded.routes) == serves
    assert ("golden text" in loaded.problems.get(task, "")) == (not serves)
    figure(f"weights off by {most:.3%}: {'serves' if serves else 'refused, and said why'}")


class Copied(NamedTuple):
    """Saves the files of a student that exists."""

    name: str
    source: Path

    def save(self, student, folder):
        for path in self.source.iterdir():
            if path.name != "manifest.json":
                shutil.copyfile(path, folder / path.name)


def to_student(student):
    return lambda route: msgspec.structs.replace(route, student=student, previous=route)


def test_c4_a_task_of_an_earlier_audit_is_told_where_its_prompt_has_holes(space):
    load = loader(Workspace(space))
    assert load(None).notes == {}
    (path,) = space.glob("tasks/*/task.json")
    task = json.loads(path.read_bytes())
    assert task.pop("seen") is True
    path.write_text(json.dumps(task))
    assert load(None).notes == {}, "a prompt without a hole hides nothing"
    task["signature"]["system"]["fragments"] = ["Above ", " ask."]
    path.write_text(json.dumps(task))
    (note,) = loader(Workspace(space))(None).notes.values()
    assert "audit its log again" in note


def test_m1_where_a_new_student_is_damaged_the_old_one_answers_on(space):
    load = loader(Workspace(space))
    first = load(None)
    ((task, live),) = first.routes.items()
    made = retrained(space)
    flip_last_byte(made / "weights.safetensors")
    change_policy(space / "policy.json", task, to_student(made.name))
    second = load(first.generation)
    assert second.routes[task] is live
    assert second.problems == {}
    assert "answers on" in second.notes[task]
    flip_last_byte(made / "weights.safetensors")
    change_policy(space / "policy.json", task, to_student(made.name))
    third = load(second.generation)
    assert third.routes[task].student.id == made.name
    assert third.notes == {}
    # Back to one that is loaded no more: it is verified again.
    change_policy(space / "policy.json", task, rolled_back)
    change_policy(space / "policy.json", task, rolled_back)
    assert load(third.generation).routes[task].student.id == live.student.id


def test_m7_a_student_that_was_replaced_is_freed_at_once(space):
    load = loader(Workspace(space))
    first = load(None)
    ((task, live),) = first.routes.items()
    gone = weakref.ref(live.student)
    made = retrained(space)
    change_policy(space / "policy.json", task, to_student(made.name))
    second = load(first.generation)
    assert second.routes[task].student.id == made.name
    assert gone() is live.student
    # By reference count: nobody has to wait for the collector, and no thread or cache has it.
    gc.disable()
    try:
        del first, live
        assert gone() is None
    finally:
        gc.enable()


def test_m1_over_http_the_old_student_answers_on(gateway):
    address, _, space = gateway
    asked = next(item for item in easy(50, seed=5))["request"]
    (task,) = (folder.name for folder in space.glob("tasks/*"))
    with openai.OpenAI(base_url=address, api_key="k", max_retries=0) as client:
        before = client.chat.completions.with_raw_response.create(**asked)
        made = retrained(space)
        for damage in ("weights.safetensors", "manifest.json"):
            flip_last_byte(made / damage)
            change_policy(space / "policy.json", task, to_student(made.name))
            time.sleep(1.5)
            after = client.chat.completions.with_raw_response.create(**asked)
            assert after.headers["x-stepdown-decision"] == "answered"
            assert after.headers["x-stepdown-student"] == before.headers["x-stepdown-student"]
        with urllib.request.urlopen(f"{address.removesuffix('/v1')}/readyz") as ready:
            assert "answers on" in json.dumps(json.loads(ready.read())["notes"])
        flip_last_byte(made / "manifest.json")
        flip_last_byte(made / "weights.safetensors")
        change_policy(space / "policy.json", task, to_student(made.name))
        until = time.monotonic() + 20
        while after.headers["x-stepdown-student"] != made.name:
            assert time.monotonic() < until
            after = client.chat.completions.with_raw_response.create(**asked)


def test_a_student_that_is_loaded_is_not_loaded_again(space):
    load = loader(Workspace(space))
    first = load(None)
    ((task, live),) = first.routes.items()
    change_policy(
        space / "policy.json",
        task,
        lambda route: msgspec.structs.replace(route, mode="canary", share=0.5),
    )
    (renewed,) = load(first.generation).routes.values()
    assert renewed.student is live.student
    assert renewed.route.mode == "canary"


def test_settings_come_from_the_file_and_options_win(monkeypatch):
    config = Config(
        tiers={"frontier": TierConfig("https://llm.example/v1", "SOME_KEY", "big")},
        serve=ServeConfig(port=9000, client_keys_env="KEYS"),
    )
    with pytest.raises(ConfigError, match="SOME_KEY"):
        settings_of(config, host=None, port=None, upstream=None)
    monkeypatch.setenv("SOME_KEY", "secret")
    monkeypatch.setenv("KEYS", "one, two")
    settings = settings_of(config, host="127.0.0.2", port=None, upstream=None)
    assert (settings.host, settings.port, settings.api_key) == ("127.0.0.2", 9000, "secret")
    assert settings.client_keys == ("one", "two")
    assert settings.frontier_model == "big"
    # A configured key belongs to the configured upstream and to no other.
    other = settings_of(config, host=None, port=0, upstream="http://127.0.0.1:1")
    assert other.api_key is None
    assert Session(Workspace(None), config).terms("x").audit_share == 0.02


TIERS = """
[tiers.frontier]
base_url = "http://f"
first_byte_seconds = 7.0
[[tiers.frontier.fallbacks]]
base_url = "http://g"
api_key_env = "SOME_KEY"
model = "other"
[tiers.frontier.messages]
base_url = "http://a"
fallbacks = [{base_url = "http://b"}]
[tiers.mid]
base_url = "http://m"
[tiers.small]
base_url = "http://s"
model = "little"
tools = false
"""


def test_tiers_have_chains_and_times(monkeypatch, tmp_path):
    (tmp_path / "stepdown.toml").write_text(TIERS)
    config = load_config(tmp_path / "stepdown.toml")
    monkeypatch.setenv("SOME_KEY", "secret")
    settings = settings_of(config, host=None, port=None, upstream=None)
    assert settings.fallbacks == (Endpoint("http://g", "secret", "other"),)
    assert settings.messages == Endpoint("http://a", fallbacks=(Endpoint("http://b"),))
    assert (settings.timeouts.first_byte, settings.timeouts.answer) == (7.0, 600.0)
    assert (settings.mid.first_byte, settings.mid.answer) == (10.0, 60.0)
    assert not settings.mid.general  # no model is named for it
    assert (settings.small.general, settings.small.tools) == (True, False)
    assert settings.secrets() == ["secret"]
    # Another upstream on the command line is the only one.
    other = settings_of(config, host=None, port=None, upstream="http://x")
    assert [one.base_url for one in other.endpoints()] == ["http://x", "http://m", "http://s"]
