"""The order of the questions, and the law of the gate: below the threshold nothing is answered."""

import asyncio
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.calls import Answer, Message, Request
from stepdown.core.contracts import Contract
from stepdown.core.ports import Prediction
from stepdown.core.routes import Route
from stepdown.core.tasks import TaskIndex
from stepdown.serve.decide import decide, in_canary
from stepdown.serve.live import LiveRoute, Loaded
from stepdown.serve.shapes import Shapes
from stepdown.serve.students import StudentRunner
from stepdown.wire.openai import parse_request


class Fixed:
    """Always predicts the same."""

    id = "s"
    family = "fake"

    def __init__(self, prediction):
        self.prediction = prediction

    def predict(self, given):
        return self.prediction


def decided(loaded, request, hint=None):
    runner = StudentRunner(5.0, 8)

    async def go():
        return await decide(loaded, request, hint, "sticky", runner, Shapes())

    try:
        return asyncio.run(go())
    finally:
        runner.close()


@pytest.fixture
def asked(task_of, body):
    """Decide on a request of a routed task: asked(prediction, **route)."""

    def go(prediction, hint=None, request=None, counted=None, **route):
        task = msgspec.structs.replace(task_of("intents", body()), **counted or {})
        live = LiveRoute(
            msgspec.structs.replace(Route(task.id, "s", "p", 0.8), **route),
            Fixed(prediction),
            Contract(task.id, "", "", "d"),
        )
        sent = request or parse_request(json.dumps(body()).encode())
        return decided(Loaded(TaskIndex([task]), {task.id: live}), sent, hint)

    return go


@pytest.mark.parametrize(
    ("confidence", "kind"), [(0.8, "answered"), (0.8 - 1e-9, "escalated"), (1.0, "answered")]
)
def test_the_threshold_itself_is_enough(asked, confidence, kind):
    assert asked(Prediction({}, Answer("x"), confidence)).decision.kind == kind


def test_an_abstention_is_never_answered(asked):
    for why, reason in (("novel words", "novel"), ("a field is missing", "low_confidence")):
        verdict = asked(Prediction({}, None, 1.0, abstained=why))
        assert (verdict.decision.reason, verdict.answer) == (reason, None)
        assert verdict.detail == why


@pytest.mark.parametrize(
    ("novelty", "cutoff", "reason"),
    [
        (0.97, 0.97, "confident"),
        (0.98, 0.97, "novel"),
        (1.0, None, "confident"),
        (0.1, 0.0, "novel"),
    ],
)
def test_what_is_more_novel_than_the_cutoff_escalates(asked, novelty, cutoff, reason):
    verdict = asked(Prediction({}, Answer("x"), 1.0, novelty=novelty), novelty_cutoff=cutoff)
    assert verdict.decision.reason == reason
    assert (verdict.decision.kind == "escalated") == (reason == "novel")
    assert ("cut-off" in verdict.detail) == (reason == "novel")


def test_novelty_is_the_reason_before_low_confidence(asked):
    for prediction in (Prediction({}, Answer("x"), 0.1, novelty=0.99), Prediction({}, None, 0.0,
                       abstained="a field is missing", novelty=0.99)):  # fmt: skip
        assert asked(prediction, novelty_cutoff=0.5).decision.reason == "novel"
        assert asked(prediction).decision.reason == "low_confidence"


def test_every_verdict_explains_itself(asked):
    good = Prediction({}, Answer("x"), 0.9)
    stranger = Request("m", (Message("user", "other"),))
    for verdict, kind, reason in (
        (asked(good), "answered", "confident"),
        (asked(good, mode="off"), "relayed", "no_route"),
        (asked(good, mode="shadow"), "relayed", "shadow"),
        (asked(None, mode="shadow"), "relayed", "shadow"),
        (asked(None), "escalated", "student_error"),
        (asked(good, mode="canary", share=0.0), "relayed", "canary_off"),
        (asked(good, mode="canary", share=1.0), "answered", "confident"),
        (asked(good, request=stranger), "relayed", "no_route"),
        (asked(good, request=stranger, hint="intents"), "escalated", "contract"),
        (asked(good, request=stranger, hint="unknown"), "relayed", "no_route"),
    ):
        assert (verdict.decision.kind, verdict.decision.reason) == (kind, reason)
        assert bool(verdict.detail) == (kind != "answered")
        assert (verdict.decision.tier == "small") == (kind == "answered")
        assert (verdict.answer is not None) == (kind == "answered")


def test_c4_an_answer_fits_no_limit_that_the_logs_answers_did_not(asked, body):
    counted = {"calls": 10, "input_tokens": 500, "output_tokens": 80}
    prediction = Prediction({}, Answer('{"mood": "pos"}'), 0.9)
    for limit, kind in ((4, "escalated"), (7, "escalated"), (8, "answered")):
        request = parse_request(json.dumps(body(max_tokens=limit)).encode())
        assert asked(prediction, request=request, counted=counted).decision.kind == kind
        assert asked(prediction, request=request).decision.kind == "answered"


@given(st.floats(0, 1), st.integers(0, 10**6))
def test_c11_a_caller_stays_in_a_canary_that_grows(share, caller):
    if in_canary(str(caller), "t", share):
        assert in_canary(str(caller), "t", min(1.0, share + 0.1))
    assert not in_canary(str(caller), "t", 0.0)
    assert in_canary(str(caller), "t", 1.0)


def test_c11_the_share_is_the_share():
    inside = sum(in_canary(f"caller-{n}", "t", 0.3) for n in range(10_000))
    assert 2848 < inside < 3152  # the binomial 99.9 % interval
