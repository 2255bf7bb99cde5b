"""`stepdown demo`: the whole story on a bundled real log, ending with the bill before and after."""

import importlib.resources
import json
import shutil
import time
from pathlib import Path
from typing import Any

import click
import msgspec
import zstandard

from stepdown import __version__, plugins
from stepdown.cli import steps
from stepdown.cli.demo.bill import Bill, bill
from stepdown.cli.demo.traffic import Reply, Row, gateway, send_all, summed
from stepdown.cli.options import Session, common, print_json
from stepdown.cli.run import Outcome, run_tasks, show_outcomes
from stepdown.core import display
from stepdown.core.audits import AuditReport
from stepdown.core.calls import Call
from stepdown.core.ports import Line
from stepdown.providers.recorded import serve_recorded
from stepdown.render import audit_table, next_step, progress_bar, say, show, table
from stepdown.web import audit_page
from stepdown.workspace import Workspace
from stepdown.workspace.files import publish_file

__all__ = ["demo"]

_WELCOME = """\
The whole story, on a real log that comes with stepdown: 23,572 calls of three tasks.
The texts are real and so are the answers, but people gave them: human labels stand in for
a frontier model's answers, and token counts are estimated. No key is needed, and nothing
leaves this machine.
"""


@click.command()
@common
def demo(session: Session) -> None:
    """Audit, train, prove, serve and bill the bundled log; about two minutes on two cores."""
    began = time.monotonic()
    say(_WELCOME)
    root = _fresh(session.workspace.root / "demo")
    session = msgspec.structs.replace(
        session,
        workspace=Workspace(root),
        reference="human labels, standing in for a teacher's answers",
    )
    report, outcomes = _learn(session)
    held_out = _bundled_calls()
    say(f"\nServing: {len(held_out)} held-out requests, by the official openai client.")
    with (
        serve_recorded(_as_calls(held_out)) as upstream,
        gateway(root, upstream) as url,
        progress_bar() as progress,
    ):
        replies = send_all(url, held_out, progress)
    costs = bill(replies, report.tasks, session.terms("").audit_share)
    _finish(session, report, outcomes, (replies, costs))
    say(f"All of it took {time.monotonic() - began:.0f} seconds.")
    next_step("stepdown audit LOG, with a log of your own")


def _fresh(root: Path) -> Path:
    """Empty the demo's own folder: every run tells the story from its beginning."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True, mode=0o700)
    return root.resolve()


def _bundled(name: str) -> bytes:
    return importlib.resources.files("stepdown.cli.demo").joinpath(name).read_bytes()


def _bundled_calls() -> list[dict[str, Any]]:
    text = zstandard.ZstdDecompressor().stream_reader(_bundled("held_out.jsonl.zst")).read()
    return [json.loads(line) for line in text.decode().split("\n") if line]


def _as_calls(lines: list[dict[str, Any]]) -> list[Call]:
    native = plugins.log_format("native")
    raw = (Line(json.dumps(line).encode(), "held_out", at) for at, line in enumerate(lines, 1))
    return [call for call in native.read(raw) if isinstance(call, Call)]


def _learn(session: Session) -> tuple[AuditReport, list[Outcome]]:
    log = session.workspace.root / "log.jsonl.zst"
    publish_file(log, _bundled("log.jsonl.zst"))
    with progress_bar() as progress:
        report = steps.audit_log(session, [str(log)], progress)
    if not session.json:
        show(audit_table(report))
    with progress_bar() as progress:
        outcomes = run_tasks(session, report, progress, "linear")
    if not session.json:
        show_outcomes(outcomes)
    return report, outcomes


def _finish(
    session: Session,
    report: AuditReport,
    outcomes: list[Outcome],
    served: tuple[list[Reply], list[Bill]],
) -> None:
    replies, costs = served
    root = session.workspace.root
    page = audit_page(report, made_at=steps.now(), version=__version__)
    publish_file(root / "audit.html", page.encode(), 0o644)
    rows = summed(replies)
    if session.json:
        print_json({"tasks": outcomes, "served": rows, "bill": costs, "workspace": str(root)})
    else:
        _show(rows, costs)
    say(f"\nThe audit's report: {root / 'audit.html'}")
    for outcome in outcomes:
        if outcome.proof:
            proofs = session.workspace.proofs(outcome.task)
            say(f"The proof of {outcome.name}: {proofs / outcome.proof.id}.html")


def _show(rows: list[Row], costs: list[Bill]) -> None:
    served = [
        [
            row.task,
            display.count(row.requests),
            display.count(row.answered),
            display.count(row.requests - row.answered),
            f"{row.agreed:,} of {row.answered:,}",
            display.milliseconds(row.p50_ms) if row.answered else "",
            display.milliseconds(row.p99_ms) if row.answered else "",
        ]
        for row in rows
    ]
    columns = ["task", ">requests", ">student", ">upstream", ">student agreed", ">p50", ">p99"]
    show(table("Who answered (times seen by the client)", columns, served))
    bills = [
        [
            cost.name,
            f"{cost.model_calls:,.0f}",
            display.money(cost.usd),
            display.money(cost.usd_per_1000),
        ]
        for cost in costs
    ]
    columns = ["the bill", ">model calls", ">these requests", ">per 1,000 calls"]
    show(table("", columns, bills))
    saved = 1 - costs[1].usd / costs[0].usd if costs[0].usd else 0.0
    say(
        f"{display.share(saved)} less, with {costs[1].audited:.0f} audited calls on the bill; "
        "the student's own processor time is not."
    )
