"""`stepdown audit`: what a log is made of, and what to do about it."""

import shlex
from pathlib import Path

import click
import msgspec

from stepdown import __version__
from stepdown.cli import steps
from stepdown.cli.code import code_report, read_code, show_code
from stepdown.cli.options import MAP_HELP, Session, common, print_json
from stepdown.cli.since import earlier_audit, show_comparison
from stepdown.core.audits import AuditReport
from stepdown.core.comparison import compare
from stepdown.errors import UsageError
from stepdown.logs.plain import mapped
from stepdown.logs.sources import is_stream
from stepdown.render import audit_table, next_step, progress_bar, say, show
from stepdown.web import audit_page
from stepdown.workspace.files import check_place, publish_file

__all__ = ["audit"]


@click.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG…")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the report.")
@click.option(
    "--code",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Also find the call sites in the code of DIR.",
)
@click.option(
    "--since",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="JSON",
    help="Also tell what changed since an earlier audit: what --json printed.",
)
@click.option("--diff", metavar="REV", help="With --code: what a change since REV costs a month.")
@click.option("--map", "pairs", multiple=True, metavar="FIELD=PATH", help=MAP_HELP)
@common
def audit(
    session: Session,
    logs: tuple[str, ...],
    html: Path | None,
    code: Path | None,
    since: Path | None,
    diff: str | None,
    pairs: tuple[str, ...],
) -> None:
    """Find the tasks in LOG (files, folders, globs, or - for standard input) and judge each."""
    if diff is not None and code is None:
        raise UsageError("--diff is about code; name its folder with --code DIR.")
    # Before the long work: a slip in a path should not cost it.
    if html is not None:
        check_place(html)
    earlier = earlier_audit(since) if since is not None else None
    with progress_bar() as progress:
        read = read_code(code, progress, diff) if code is not None else None
        report = steps.audit_log(session, logs, progress, mapped(pairs))
        if read is not None:
            found = code_report(read, report.tasks)
            report = msgspec.structs.replace(report, code=found)
    if earlier is not None:
        report = msgspec.structs.replace(report, since=compare(earlier, report))
    if html is not None:
        page = audit_page(report, made_at=steps.now(), version=__version__)
        publish_file(html, page.encode(), mode=0o644)
        say(f"The report lies in {html}.")
    _print(session, report)
    first = next((t for t in report.tasks if t.verdict.decision == "distil"), None)
    if first:
        # What came by a pipe can't come again: its kept copy can.
        again = first.sources if any(map(is_stream, logs)) else logs
        run = session.typed(f"stepdown run {shlex.join(again)}")
        label = session.typed(f"stepdown label {first.name}")
        next_step(f"{run}   or, step by step: {label}")
    elif any(t.verdict.decision == "more data" for t in report.tasks):
        next_step(f"{session.typed('stepdown serve')}    to collect more calls")


def _print(session: Session, report: AuditReport) -> None:
    if session.json:
        print_json(report)
    else:
        show(audit_table(report))
        if report.code is not None:
            show_code(report.code, report.tasks)
        if report.since is not None:
            show_comparison(report.since)
