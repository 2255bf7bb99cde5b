"""Asking a cheaper model: over real sockets, with what it charges, and with whatever it breaks."""

import asyncio
import contextlib
import threading

import msgspec
import pytest
from aiohttp import web

from stepdown.cli import ladder, steps
from stepdown.cli.hosted import ask_hosted
from stepdown.cli.options import Session
from stepdown.config import Config, TierConfig
from stepdown.core.calls import Answer
from stepdown.errors import ConfigError, Refusal
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
    assert trained.manifest.candidates == 2
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


def test_rows_that_it_can_not_answer_are_abstentions(setting):
    session, task, dataset, calls = setting
    asked_ids = {row.id for row in dataset.part("calibration")}
    known = [one for one in calls if one.id not in asked_ids or one.id.endswith("1")]
    with serve_recorded(known) as root:
        found = ask_hosted(session(root), task, dataset, silent)
    assert 0 < found.failed < found.asked


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
