"""Asking a cheaper model: over real sockets, with what it charges, and with whatever it breaks."""

import asyncio
import contextlib
import json
import random
import threading
import time

import msgspec
import pytest
from aiohttp import web
from tests.cli.story import call, easy, write
from tests.cli.teaching import FakeTeacher
from tests.core.test_redaction import CREDENTIALS

from stepdown import plugins
from stepdown.cli import ladder, steps
from stepdown.cli.hosted import ask_hosted
from stepdown.cli.options import Session
from stepdown.cli.serve import loader
from stepdown.config import Config, TierConfig, load_config
from stepdown.core.calls import Answer
from stepdown.errors import ConfigError, Refusal, UpstreamError
from stepdown.label import pacing
from stepdown.providers.recorded import serve_recorded
from stepdown.workspace import Workspace


@pytest.fixture
def setting(space):
    """The session's makers, the task, its dataset and its calls."""

    def session(root, **tier):
        mid = TierConfig(root, model="gpt-5-nano", **tier)
        return Session(Workspace(space), Config(tiers={"mid": mid}))

    bare = Session(Workspace(space), Config())
    task = bare.workspace.tasks()[0]
    dataset = steps.current_dataset(bare.workspace, task)
    calls = list(steps.all_calls(bare, task.sources, lambda *told: None))
    return session, task, dataset, calls


def silent(*told):
    pass


def test_it_is_asked_every_calibration_row_and_priced(setting):
    session, task, dataset, calls = setting
    with serve_recorded(calls) as root:
        found = ask_hosted(session(root), task, dataset, silent)
    assert found.asked == len(dataset.part("calibration"))
    assert found.failed == 0
    assert (found.usd_per_1000 or 0) > 0  # the price list knows gpt-5-nano
    assert found.p50_ms > 0
    row = dataset.part("calibration")[0]
    assert found.student.predict(row.input).record == row.record


def test_the_report_says_do_not_train_when_switching_is_cheaper(setting):
    session, task, dataset, calls = setting
    with serve_recorded(calls) as root:
        asked = session(root, usd_per_1000=0.0)
        found = ask_hosted(asked, task, dataset, silent)
    trained = ladder.train_task(asked, task, dataset, "linear", silent, found)
    last = trained.steps[-1]
    assert last.rung == "gpt-5-nano (hosted)"
    assert "don't train, switch the model" in last.why
    assert trained.manifest.candidates == 3  # the student, the model, the one behind the other
    proof = steps.certify(asked, task)
    assert [row.name for row in proof.economics.rows if row.name == "gpt-5-nano"]


def test_a_model_that_is_often_wrong_is_not_recommended(setting):
    session, task, dataset, calls = setting
    wrong = [msgspec.structs.replace(one, answer=Answer("loans")) for one in calls]
    with serve_recorded(wrong) as root:
        asked = session(root, usd_per_1000=0.0)
        found = ask_hosted(asked, task, dataset, silent)
    trained = ladder.train_task(asked, task, dataset, "linear", silent, found)
    assert "don't train" not in trained.steps[-1].why
    assert trained.steps[-1].coverage == 0


def test_p1_what_its_api_repeats_of_a_call_is_told_nowhere(setting):
    session, task, dataset, _ = setting
    rude = UpstreamError(f"I won't read 'my key is {CREDENTIALS['openai']}'", 400)

    async def complete(body):
        raise rude

    @contextlib.asynccontextmanager
    async def connect(*where):
        yield complete

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(plugins.provider("openai-compatible")), "connect", lambda *at: connect())
        found = ask_hosted(session("http://127.0.0.1:1"), task, dataset, silent)
    assert found.failed == found.asked
    seen = {found.student.predict(row.input).abstained for row in dataset.part("calibration")}
    assert seen == {"I won't read 'my key is [redacted key]'"}


@pytest.fixture
def teacher():
    with contextlib.closing(FakeTeacher()) as made:
        yield made


def test_rows_that_it_can_not_answer_are_abstentions(setting, teacher):
    session, task, dataset, calls = setting
    ids = {row.id for row in dataset.part("calibration")}
    texts = [str(one.request.messages[-1].text) for one in calls if one.id in ids]
    teacher.script = {text: ["400", "400"] for text in texts[::3]}
    found = ask_hosted(session(teacher.url), task, dataset, silent)
    assert (found.asked, found.failed) == (len(ids), len(texts[::3]))


@pytest.mark.parametrize(
    ("status", "why"),
    [("401", "gpt-5-nano does not know the key"), ("404", "gpt-5-nano has no such model")],
)
def test_a_refused_key_is_asked_once_and_what_was_answered_is_kept(setting, teacher, status, why):
    session, task, dataset, _ = setting
    here = session(teacher.url)
    teacher.script = {"*": [status] * 9}
    with pytest.raises(Refusal, match=why):
        ask_hosted(here, task, dataset, silent)
    assert sum(teacher.tries.values()) == 1
    # The key is mended, and then used up.
    teacher.script = {}
    teacher.after = lambda paid: teacher.script.update({"*": [status] * 9} if paid == 20 else {})
    with pytest.raises(Refusal, match=why):
        ask_hosted(here, task, dataset, silent)
    teacher.after, teacher.script = None, {}
    paid = len(teacher.bill)
    assert paid < len(dataset.part("calibration"))
    assert ask_hosted(here, task, dataset, silent).failed == 0
    assert len(teacher.bill) == len(dataset.part("calibration"))


def test_retry_after_is_obeyed_and_is_not_the_models_time(setting, teacher):
    session, task, dataset, _ = setting
    first = dataset.part("calibration")[0]
    few = msgspec.structs.replace(dataset, id="few", examples=(first,))
    teacher.script = {"*": ["429:1", "503"]}
    began = time.monotonic()
    found = ask_hosted(session(teacher.url), task, few, silent)
    took = time.monotonic() - began
    assert (found.failed, sum(teacher.tries.values())) == (0, 3)
    assert took > 1.0 + 0.3
    assert found.p50_ms < 1000.0


def test_one_who_is_away_is_not_asked_for_ever(setting, monkeypatch):
    session, task, dataset, _ = setting
    monkeypatch.setattr(pacing, "PATIENCE_S", 0.1)
    with pytest.raises(Refusal, match="No answer came for"):
        ask_hosted(session("http://127.0.0.1:1"), task, dataset, silent)


@contextlib.contextmanager
def decisions(answer):
    """A decisions endpoint on loopback; `answer(question)` makes each answer."""
    ready, stop, port = threading.Event(), threading.Event(), []

    async def decide(request):
        body = await request.json()
        answers = [answer(question) | {"name": question["name"]} for question in body["questions"]]
        return web.json_response(
            {"model": body["model"], "answers": answers, "usage": {"input_tokens": 30}}
        )

    def serve():
        async def go():
            app = web.Application()
            app.router.add_post("/v1/decisions", decide)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port.append(runner.addresses[0][1])
            ready.set()
            while not stop.is_set():
                await asyncio.sleep(0.01)
            await runner.cleanup()

        asyncio.run(go())

    thread = threading.Thread(target=serve)
    thread.start()
    ready.wait(10)
    try:
        yield f"http://127.0.0.1:{port[0]}/v1"
    finally:
        stop.set()
        thread.join()


def test_a_decisions_endpoint_is_asked_for_closed_choices(setting):
    session, task, dataset, _ = setting

    def first(question):
        value = question["choices"][0]["value"]
        chances = [{"value": value, "probability": 0.6}]
        return {"type": "choice", "choice": value, "confidence": 0.6, "probabilities": chances}

    with decisions(first) as root:
        found = ask_hosted(session(root, api="decisions"), task, dataset, silent)
    said = found.student.predict(dataset.part("calibration")[0].input)
    assert said.confidence == 0.6
    assert said.record[""] in task.anatomy.fields[0].values
    # What is kept would not be asked again.
    (kept,) = session(root).workspace.folder(task.id).glob("hosted-*.jsonl")
    kept.unlink()
    with decisions(lambda question: {"type": "refusal"}) as root:
        found = ask_hosted(session(root, api="decisions"), task, dataset, silent)
    assert found.failed == found.asked


def test_an_open_field_is_nothing_for_a_decisions_endpoint(setting):
    session, task, dataset, _ = setting
    fields = tuple(msgspec.structs.replace(f, kind="copy") for f in task.anatomy.fields)
    anatomy = msgspec.structs.replace(task.anatomy, fields=fields)
    other = msgspec.structs.replace(task, anatomy=anatomy)
    with pytest.raises(Refusal, match="no such choice"):
        ask_hosted(session("http://127.0.0.1:9", api="decisions"), other, dataset, silent)


def test_without_a_tier_or_its_key_the_fix_is_said(setting, monkeypatch):
    session, task, dataset, _ = setting
    bare = msgspec.structs.replace(session(""), config=Config())
    with pytest.raises(ConfigError, match=r"\[tiers\.mid\]"):
        ask_hosted(bare, task, dataset, silent)
    monkeypatch.delenv("SOME_KEY", raising=False)
    with pytest.raises(ConfigError, match="SOME_KEY"):
        ask_hosted(session("http://x", api_key_env="SOME_KEY"), task, dataset, silent)


@pytest.fixture
def unclear(tmp_path):
    """A workspace of 2,400 calls, a third of which only their teacher understands."""
    pick = random.Random(3)
    words = ["".join(pick.choices("abcdefghij", k=5)) for _ in range(600)]
    lines = list(easy(2400, seed=3))
    for at, item in enumerate(lines):
        if at % 3 == 0:
            item["request"]["messages"][1]["content"] = " ".join(pick.sample(words, 8))
    log = write(tmp_path / "log.jsonl", lines)
    space = tmp_path / "space"
    assert call("audit", log, "--workspace", space) == 0
    (task,) = Workspace(space).tasks()
    assert call("label", task.name, "--workspace", space) == 0
    return space, task, log


@pytest.fixture
def tier(unclear, tmp_path):
    """tier(calls) serves their answers as the mid tier; gives its configuration file."""
    with contextlib.ExitStack() as stack:

        def go(calls, **more):
            root = stack.enter_context(serve_recorded(calls))
            config = tmp_path / "stepdown.toml"
            values = {"base_url": root, "model": "cheap-1", **more}
            lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
            config.write_text("[tiers.mid]\n" + "\n".join(lines) + "\n")
            return config

        yield go


def calls_of(space, task):
    return list(steps.all_calls(Session(Workspace(space), Config()), task.sources, silent))


def test_behind_a_student_it_answers_the_rest_under_one_certificate(unclear, tier, capsys):
    space, task, _ = unclear
    config = tier(calls_of(space, task), usd_per_1000=0.02)
    told = ["--workspace", space, "--config", config]
    assert call("train", task.name, "--mid", "--family", "linear", "--json", *told) == 0
    printed = json.loads(capsys.readouterr().out)
    rungs = {step["rung"]: step for step in printed["ladder"]}
    both, alone = rungs["linear → cheap-1"], rungs["linear"]
    assert both["taken"]
    assert both["coverage"] > 0.95  # all but what the novelty gate holds back
    assert alone["coverage"] < 0.75
    assert both["usd_per_1000"] < alone["usd_per_1000"]
    assert call("prove", task.name, "--json", *told) == 0
    proof = json.loads(capsys.readouterr().out)
    assert proof["family"] == "linear → cheap-1"
    assert proof["behind"] == "cheap-1"
    assert "student, cheap-1 behind" in [row["name"] for row in proof["economics"]["rows"]]
    assert proof["certificate"]["bound"] <= 0.02
    assert proof["test"]["coverage"]["estimate"] > 0.95
    assert any("cheap-1" in one for one in proof["not_covered"])
    assert call("promote", task.name, *told) == 0
    live, note = served(space, config)
    assert live.asks_behind
    assert not note
    assert served(space, None)[1].startswith("its certificate counts on cheap-1")


def served(space, config):
    tiers = load_config(config).tiers if config else {}
    loaded = loader(Workspace(space), tiers.get("mid"))(None)
    (live,) = loaded.routes.values()
    return live, "".join(loaded.notes.values())


def test_what_was_answered_is_never_asked_again(unclear, tier):
    space, task, _ = unclear
    calls = calls_of(space, task)
    told = ["--workspace", space, "--config", tier(calls, usd_per_1000=0.02)]
    assert call("train", task.name, "--mid", "--family", "linear", *told) == 0
    (kept,) = (space / "tasks" / task.id).glob("hosted-*.jsonl")
    asked = kept.read_bytes().split()
    with kept.open("ab") as file:
        file.write(b'{"row": "cut o')
    # A model that now knows nothing: whatever it is asked again would be an abstention.
    told[-1] = tier([], usd_per_1000=0.02)
    assert call("train", task.name, "--mid", "--family", "linear", *told) == 0
    assert kept.read_bytes().split()[: len(asked)] == asked
    told[-1] = tier(calls, usd_per_1000=0.02)
    assert call("prove", task.name, *told) == 0


def test_a_model_that_is_wrong_is_not_trusted_behind_a_student(unclear, tier, capsys):
    space, task, _ = unclear
    wrong = [msgspec.structs.replace(one, answer=Answer("loans")) for one in calls_of(space, task)]
    told = ["--workspace", space, "--config", tier(wrong, usd_per_1000=0.02)]
    assert call("train", task.name, "--mid", "--family", "linear", "--json", *told) == 0
    rungs = {step["rung"]: step for step in json.loads(capsys.readouterr().out)["ladder"]}
    assert rungs["linear"]["taken"]


def test_another_model_is_not_the_one_that_was_weighed(unclear, tier, capsys):
    space, task, _ = unclear
    calls = calls_of(space, task)
    told = ["--workspace", space, "--config", tier(calls, usd_per_1000=0.02)]
    assert call("train", task.name, "--mid", "--family", "linear", *told) == 0
    told[-1] = tier(calls, model="cheap-2")
    assert call("prove", task.name, *told) == 2
    assert "joined with cheap-1" in capsys.readouterr().err
