"""The routing decision: may a student answer this request, and is it sure enough?

In order: is there a task, a route, a contract that is kept, a mode that lets the student speak, an
input that is not too novel, and an answer above the threshold. The first "no" sends the request
upstream and names its reason.
"""

import hashlib

import msgspec

from stepdown.core.calls import Answer, Request
from stepdown.core.contracts import answer_violation, violation
from stepdown.core.ports import Prediction
from stepdown.core.redaction import DEFAULT, holds_placeholder
from stepdown.core.routes import Decision, DecisionKind, Reason
from stepdown.core.tasks import Input, Task, tokens_a_call
from stepdown.serve.live import LiveRoute, Loaded, same_words
from stepdown.serve.shapes import Shapes
from stepdown.serve.students import Fault, StudentRunner

__all__ = ["Verdict", "decide", "in_canary"]


class Verdict(msgspec.Struct, frozen=True):
    """A decision with what led to it.

    `answer` is there when the student answers. In shadow mode the student's prediction is kept in
    `prediction` and the upstream answers. `detail` is a sentence for people.
    """

    decision: Decision
    task: Task | None = None
    live: LiveRoute | None = None
    answer: Answer | None = None
    prediction: Prediction | None = None
    detail: str = ""


async def decide(
    loaded: Loaded,
    request: Request,
    hint: str | None,
    sticky: str,
    students: StudentRunner,
    shapes: Shapes,
    redaction: str = DEFAULT.name,
) -> Verdict:
    """Decide on one request; `hint` is the task that the caller named, `sticky` places it in or
    out of a canary, `redaction` is what students are shown without."""
    found = loaded.tasks.recognise(request, hint)
    if found is None:
        return _unrecognised(loaded, request, hint)
    task, given = found
    live = loaded.routes.get(task.id)
    if task.id in loaded.problems:
        return _upstream("escalated", "student_error", task, None, loaded.problems[task.id])
    if live is None or live.route.mode == "off":
        return _upstream("relayed", "no_route", task, None, "No student serves this task.")
    if live.redacted != redaction:
        why = (
            f"The student learnt from text without {live.redacted}, and [store] redact is "
            f"{redaction}; set it back, or label and train the task again."
        )
        return _upstream("escalated", "contract", task, live, why)
    broken = violation(live.contract, request)
    if broken is not None:
        return _upstream("escalated", broken[0], task, live, broken[1])
    if live.route.mode == "canary" and not in_canary(sticky, task.id, live.route.share):
        return _upstream("relayed", "canary_off", task, live, "Outside the canary's share.")
    return await _asked(request, task, given, live, students, shapes)


def in_canary(sticky: str, task: str, share: float) -> bool:
    """Say whether a caller falls into a canary's share; the same caller always does, or never."""
    drawn = hashlib.sha256(f"{task}\0{sticky}".encode("utf-8", "replace")).digest()[:8]
    return int.from_bytes(drawn) / 2**64 < share


async def _asked(
    request: Request,
    task: Task,
    given: Input,
    live: LiveRoute,
    students: StudentRunner,
    shapes: Shapes,
) -> Verdict:
    prediction = await students.predict(live.student, given)
    if isinstance(prediction, Fault):
        kind: DecisionKind = "relayed" if live.route.mode == "shadow" else "escalated"
        reason: Reason = "shadow" if live.route.mode == "shadow" else "student_error"
        return _upstream(kind, reason, task, live, prediction.why)
    if live.route.mode == "shadow":
        return _upstream("relayed", "shadow", task, live, "The student only watches.", prediction)
    return _gated(request, task, live, prediction, shapes)


def _gated(
    request: Request, task: Task, live: LiveRoute, prediction: Prediction, shapes: Shapes
) -> Verdict:
    cutoff = live.route.novelty_cutoff
    if cutoff is not None and prediction.novelty > cutoff:
        why = (
            f"More novel than {prediction.novelty:.4f} of the calls that were learnt from; the "
            f"cut-off is {cutoff:.4f}."
        )
        return _upstream("escalated", "novel", task, live, why, prediction)
    answer = prediction.answer
    if answer is None:
        reason: Reason = "novel" if prediction.abstained.startswith("novel") else "low_confidence"
        why = prediction.abstained or "The student abstains."
        return _unsure(reason, task, live, why, prediction)
    if prediction.confidence < live.threshold:
        why = f"Below the threshold of {live.threshold:.4f}."
        return _unsure("low_confidence", task, live, why, prediction)
    wrong = shapes.misfit(request, answer)
    if wrong is not None:
        return _upstream("escalated", "student_error", task, live, wrong, prediction)
    if holds_placeholder(answer):
        why = "The answer would tell what stands in place of what was taken out."
        return _unsure("low_confidence", task, live, why, prediction)
    usual = tokens_a_call(task)
    broken = answer_violation(live.contract, request, answer, usual[1] if usual else 0.0)
    if broken is not None:
        return _upstream("escalated", broken[0], task, live, broken[1], prediction)
    decision = Decision(
        "answered", "confident", "small", task.id, live.route.student, prediction.confidence
    )
    return Verdict(decision, task, live, answer, prediction)


def _unsure(
    reason: Reason, task: Task, live: LiveRoute, why: str, prediction: Prediction
) -> Verdict:
    """Escalate: to the model behind the student, where the route's certificate counts on one."""
    verdict = _upstream("escalated", reason, task, live, why, prediction)
    if reason == "novel" or not live.asks_behind:
        return verdict
    decision = msgspec.structs.replace(verdict.decision, tier="mid")
    return msgspec.structs.replace(verdict, decision=decision)


def _unrecognised(loaded: Loaded, request: Request, hint: str | None) -> Verdict:
    if hint is None:
        task = same_words(loaded, request)
    else:
        named = [task for task in loaded.tasks.named(hint) if task.id in loaded.routes]
        task = named[0] if named else None
    if task is None:
        return _upstream("relayed", "no_route", None, None, "No task has this request's signature.")
    why = "The request's tools, response format or prompt are not those of the task's log."
    return _upstream("escalated", "contract", task, loaded.routes[task.id], why)


def _upstream(
    kind: DecisionKind,
    reason: Reason,
    task: Task | None,
    live: LiveRoute | None,
    detail: str,
    prediction: Prediction | None = None,
) -> Verdict:
    decision = Decision(
        kind,
        reason,
        "frontier",
        task.id if task else "",
        live.route.student if live and prediction else "",
        prediction.confidence if prediction else None,
    )
    return Verdict(decision, task, live, None, prediction, detail)
