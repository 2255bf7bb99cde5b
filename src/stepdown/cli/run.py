"""`stepdown run`: the whole flow on a log, one task after another, ending in a policy."""

from collections.abc import Sequence
from typing import Any, Literal

import click
import msgspec

from stepdown.cli import steps
from stepdown.cli.ladder import train_task
from stepdown.cli.options import MAP_HELP, Session, common, print_json
from stepdown.core import display
from stepdown.core.audits import AuditReport
from stepdown.core.datasets import Dataset
from stepdown.core.ports import Progress, silent
from stepdown.core.proofs import Proof
from stepdown.core.tasks import Task
from stepdown.engines.local import Local
from stepdown.errors import Refusal
from stepdown.logs.plain import mapped
from stepdown.render import next_step, progress_bar, reading_lines, say, show, table

__all__ = ["Outcome", "run", "run_tasks", "serving", "show_outcomes"]


Result = Literal["promoted", "not certified", "refused", "not tried"]


class Outcome(msgspec.Struct, frozen=True):
    """What became of one task: promoted with its proof, or not, and why in one sentence."""

    task: str
    name: str
    calls: int
    verdict: str
    result: Result
    why: str = ""
    proof: Proof | None = None


def run_tasks(
    session: Session, report: AuditReport, progress: Progress, family: str | None = None
) -> list[Outcome]:
    """Label, train, prove and promote every task of the audit whose verdict is `distil`.

    With a `family` that one is trained alone, and the ladder is not climbed.
    """
    chosen = [task for task in report.tasks if task.verdict.decision == "distil"]
    outcomes = {task.id: _outcome(task, "not tried", _advice(task)) for task in report.tasks}
    # One task alone has its rungs and rows side by side instead.
    apart = len(chosen) > 1 and session.engine.workers > 0
    engine = session.engine if apart else Local()
    inner = msgspec.structs.replace(session, engine=Local()) if apart else session
    jobs = (
        _Job(inner, task, dataset, family, silent if apart else _named(task, progress))
        for task, dataset in steps.label_tasks(session, chosen, progress)
    )
    for done, outcome in enumerate(engine.map(climb_task, jobs, ahead=1), 1):
        if apart:
            progress("tasks", done, len(chosen))
        outcomes[outcome.task] = _promoted(session, outcome)
    return list(outcomes.values())


class _Job(msgspec.Struct, frozen=True):
    """One task to train and to prove."""

    session: Session
    task: Task
    dataset: Dataset | Refusal
    family: str | None
    progress: Progress


def climb_task(job: _Job) -> Outcome:
    """Train and prove one task's student, or say what stood in the way."""
    session, task = job.session, job.task
    try:
        if isinstance(job.dataset, Refusal):
            raise job.dataset
        train_task(session, task, job.dataset, job.family, job.progress)
        proof = steps.certify(session, task, job.progress)
    except Refusal as error:
        return _outcome(task, "refused", str(error))
    return _outcome(task, "not certified", proof.summary, proof)


def _promoted(session: Session, outcome: Outcome) -> Outcome:
    if outcome.proof is None or not outcome.proof.passed:
        return outcome
    try:
        steps.promote(session, session.workspace.task(outcome.task))
    except Refusal as error:
        return msgspec.structs.replace(outcome, result="refused", why=str(error), proof=None)
    return msgspec.structs.replace(outcome, result="promoted")


def _named(task: Task, progress: Progress) -> Progress:
    return lambda stage, done, total: progress(f"{task.name}: {stage}", done, total)


def _outcome(task: Task, result: Result, why: str, proof: Proof | None = None) -> Outcome:
    return Outcome(task.id, task.name, task.calls, task.verdict.decision, result, why, proof)


def _advice(task: Task) -> str:
    return f"{task.verdict.decision}: {' '.join(task.verdict.reasons)}"


@click.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG…")
@click.option("--map", "pairs", multiple=True, metavar="FIELD=PATH", help=MAP_HELP)
@common
def run(session: Session, logs: tuple[str, ...], pairs: tuple[str, ...]) -> None:
    """Audit LOG, then train, prove and promote every task that is worth it.

    Exit status 1 when no task could be certified.
    """
    with progress_bar() as progress:
        report = steps.audit_log(session, logs, progress, mapped(pairs))
        outcomes = run_tasks(session, report, progress)
    for line in reading_lines(report):
        say(line)
    if session.json:
        print_json({"calls": report.calls, "sources": report.sources, "tasks": outcomes})
    else:
        show_outcomes(outcomes)
    if not any(outcome.result == "promoted" for outcome in outcomes):
        say("No task was certified, so nothing is answered locally; the reasons are above.")
        next_step(_more(session, outcomes))
        raise SystemExit(1)
    next_step(session.typed(serving(session, report.tasks)))


def _more(session: Session, outcomes: list[Outcome]) -> str:
    """Return what gives a task more rows to be certified with."""
    serve = f"{session.typed('stepdown serve')}    to collect more calls"
    tried = next((one for one in outcomes if one.result in ("not certified", "refused")), None)
    if tried is None:
        return serve
    label = session.typed(f"stepdown label {tried.name} --teacher MODEL")
    return f"{label}    to pay for more answers, or {serve}"


def serving(session: Session, tasks: Sequence[Task]) -> str:
    """Return the command that serves the tasks, with whoever the log's models are asked of behind
    it, unless the configuration says that."""
    if "frontier" in session.config.tiers:
        return "stepdown serve"
    models = {name for task in tasks for name in task.models}
    claude = bool(models) and all(name.startswith("claude") for name in models)
    return f"stepdown serve --upstream https://api.{'anthropic' if claude else 'openai'}.com/v1"


def show_outcomes(outcomes: list[Outcome]) -> None:
    """Print a table of what became of each task, and the reasons of those that stay."""
    rows: list[list[Any]] = []
    for outcome in outcomes:
        proof = outcome.proof
        rows.append(
            [
                outcome.name,
                display.count(outcome.calls),
                outcome.result,
                display.share(proof.test.agreement.estimate) if proof else "",
                display.share(proof.test.coverage.estimate) if proof and proof.passed else "",
                display.milliseconds(proof.latency.p50_ms) if proof else "",
                display.money(proof.economics.saving_usd_month) if proof else "",
            ]
        )
    columns = ["task", ">calls", "result", ">agreement", ">answered", ">p50", ">saving/month"]
    show(table("What became of each task", columns, rows, ("p50", "agreement")))
    for outcome in outcomes:
        if outcome.result != "promoted" and outcome.why:
            say(f"{outcome.name}: {outcome.why}")
