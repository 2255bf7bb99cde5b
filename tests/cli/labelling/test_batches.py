"""`stepdown label --batch` against both APIs on a socket: half the price, never two batches."""

import json
import random
import subprocess
import sys
import time
import urllib.request

import pytest
from tests.cli.story import call, easy, write
from tests.cli.teaching import PRICED, READ, WRITTEN, command, topic_of
from tests.providers.fake_apis import fake_apis

from stepdown.store.ledger import read_labels, read_spend

COST = (100 * READ + 10 * WRITTEN) // 2
APIS = ["openai", "anthropic"]


@pytest.fixture(scope="session")
def logged(tmp_path_factory):
    """A workspace of 450 calls that was audited and nothing more."""
    folder = tmp_path_factory.mktemp("batches")
    log = write(folder / "log.jsonl", easy(450))
    assert call("audit", log, "--workspace", folder / "ws") == 0
    return folder


@pytest.fixture
def desk(logged, tmp_path, capsys, monkeypatch):
    kept = next(logged.glob("ws/tasks/*/task.json"))
    copy = tmp_path / "ws" / kept.relative_to(logged / "ws")
    copy.parent.mkdir(parents=True)
    copy.write_bytes(kept.read_bytes())
    monkeypatch.setenv("TEACHER_KEY", "key")
    monkeypatch.setattr("stepdown.label.batching._FIRST_LOOK_S", 0.05)
    return Desk(tmp_path, json.loads(kept.read_text()), capsys)


class Desk:
    def __init__(self, folder, task, capsys):
        self.folder, self.task, self.capsys = folder, task, capsys
        self.status, self.said = 0, ""

    def arguments(self, root, *options, api="openai"):
        config = self.folder / "stepdown.toml"
        config.write_text(
            f'[teacher]\nbase_url = "{root}"\napi = "{api}"\napi_key_env = "TEACHER_KEY"\n{PRICED}'
            "[defaults]\nsecond_questions = 0\n",
            encoding="utf-8",
        )
        at = ("--workspace", self.folder / "ws", "--config", config)
        return ("label", self.task["name"], "--teacher", "big", "--yes", *at, *options)

    def __call__(self, root, *options, api="openai"):
        self.capsys.readouterr()
        self.status = call(*self.arguments(root, "--json", *options, api=api))
        printed = self.capsys.readouterr()
        self.said = printed.err
        return json.loads(printed.out) if printed.out else {}

    def labels(self):
        return list(read_labels(self.folder / "ws" / "labels.db", self.task["id"]))

    def spend(self):
        return read_spend(self.folder / "ws" / "labels.db", self.task["id"])


@pytest.mark.parametrize("api", APIS)
def test_labels_at_half_the_price(desk, api):
    with fake_apis() as (fake, root):
        fake.answer = topic_of
        paid = desk(root, "--batch", "-n", 60, api=api)
        assert (desk.status, paid["labels"], paid["calls"]) == (0, 60, 60)
        assert paid["outcomes"] == {"answered": 60}
        assert paid["spend"]["attodollars"] == 60 * COST == desk.spend().known
        assert paid["dataset"] is not None, desk.said
        assert len(fake.batches) + len(fake.message_batches) == 1
        again = desk(root, "--batch", "-n", 60, api=api)
        assert (again["calls"], again["spend"]) == (0, paid["spend"])
    assert len(fake.batches) + len(fake.message_batches) == 1
    assert {one.cost for one in desk.labels()} == {COST}
    messages = {one["id"]: one["request"]["messages"][-1]["content"] for one in easy(450)}
    assert all(one.answer.text == topic_of(messages[one.item]) for one in desk.labels())


def test_the_estimate_and_the_cap_are_of_the_batches_price(desk):
    with fake_apis() as (fake, root):
        fake.answer = topic_of
        whole = desk(root, "-n", 200, "--dry-run")
        half = desk(root, "--batch", "-n", 200, "--dry-run")
        assert half["at_most_usd"] == pytest.approx(whole["at_most_usd"] / 2)
        assert half["seconds"] == 86_400
        cap = round(100 * COST / 10**18 + half["at_most_usd"] / 200, 6)
        paid = desk(root, "--batch", "-n", 200, "--max-usd", cap)
    assert paid["stopped"] == "the cap is reached"
    assert 0 < paid["labels"] <= 101
    assert desk.spend().known <= desk.spend().at_most <= cap * 10**18


def test_what_is_in_a_batch_is_not_asked_one_by_one(desk):
    with fake_apis() as (fake, root):
        fake.answer = topic_of
        fake.script["fail"] = {"GET /v1/batches/{id}": "before"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("stepdown.label.batching._PATIENCE", 1)
            desk(root, "--batch", "-n", 20)
        assert desk.status == 1
        assert "status 500" in desk.said
        assert "--batch" in desk.said.splitlines()[-1]
        fake.script["fail"] = {}
        desk(root, "-n", 20)
        assert desk.status == 2
        assert "add --batch" in desk.said
        assert fake.asked == []
        paid = desk(root, "--batch", "-n", 20)
        assert "20 questions went out in batches before" in desk.said
    assert (paid["labels"], paid["calls"], len(fake.batches)) == (20, 0, 1)


def test_batch_goes_with_a_teacher(desk):
    assert call("label", desk.task["name"], "--workspace", desk.folder / "ws", "--batch") == 2


@pytest.fixture
def apis():
    """Both APIs in a process of their own: its root, and a function that gets from or tells it."""
    command = [sys.executable, "-m", "tests.providers.fake_apis", "story"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        root = process.stdout.readline().strip()
        yield Apis(root)
        process.kill()


class Apis:
    def __init__(self, root):
        self.root = root

    def counts(self):
        with urllib.request.urlopen(f"{self.root}/counts") as answer:
            return json.load(answer)

    def created(self):
        counts = self.counts()
        return counts["batches"] + counts["message_batches"]

    def script(self, **how):
        request = urllib.request.Request(f"{self.root}/script", json.dumps(how).encode())
        with urllib.request.urlopen(request) as answer:
            answer.read()


def until(ready):
    end = time.monotonic() + 120
    while not ready():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.mark.reliability
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("hang", ["before", "after"])
def test_l6_killed_around_the_creation_there_is_one_batch(desk, apis, figure, api, hang):
    """kill -9 while the API holds back what it says, before or after it has created the batch."""
    apis.script(hang=hang)
    process = command(*desk.arguments(apis.root, "--batch", "-n", 60, api=api))
    until(lambda: apis.counts()["waiting"])
    process.kill()
    process.communicate()
    assert apis.created() == (hang == "after")
    apis.script(hang="")
    with command(*desk.arguments(apis.root, "--batch", "-n", 60, "--json", api=api)) as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    counts = apis.counts()
    assert apis.created() == 1
    assert len(counts["items"]) == len(set(counts["items"])) == len(desk.labels()) == 60
    assert json.loads(out)["spend"]["attodollars"] == 60 * COST
    assert desk.spend().unknown == 0
    figure(f"{api}: killed {hang} the API had created it: 1 batch, 60 items paid once")


@pytest.mark.reliability
@pytest.mark.parametrize("api", APIS)
def test_l6_killed_at_random_nothing_is_created_twice(desk, apis, figure, api):
    """kill -9 at random moments of whole runs until one comes through."""
    apis.script(polls=6)
    dice, kills = random.Random(6), 0
    while True:
        with command(*desk.arguments(apis.root, "--batch", "-n", 60, api=api)) as process:
            try:
                process.wait(dice.uniform(0.8, 4.0) if kills < 4 else 120)
                break
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
    counts = apis.counts()
    assert process.returncode == 0
    assert kills >= 2
    assert apis.created() == 1
    assert len(counts["items"]) == len(set(counts["items"])) == len(desk.labels()) == 60
    assert desk.spend().known == desk.spend().at_most == 60 * COST
    figure(f"{api}: {kills} kills at random: 1 batch, 60 items paid once")


@pytest.mark.reliability
def test_ctrl_c_leaves_the_batch_running_and_says_so(desk, apis):
    apis.script(polls=10**6)
    process = command(*desk.arguments(apis.root, "--batch", "-n", 30))
    until(apis.created)
    time.sleep(0.5)
    process.send_signal(2)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes on at the API without us" in err
    assert err.splitlines()[-1].startswith("Next: stepdown label")
    assert "--batch" in err.splitlines()[-1]
    apis.script(polls=0)
    with command(*desk.arguments(apis.root, "--batch", "-n", 30)) as process:
        process.communicate()
    assert (apis.created(), len(desk.labels())) == (1, 30)
