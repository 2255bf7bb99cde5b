"""`stepdown routing`: fit the complexity score that sends calls of no known task to a tier."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import click
import msgspec

from stepdown.cli import steps
from stepdown.cli.options import Session, common, print_json
from stepdown.cli.scores import publish_score
from stepdown.cli.stores import captured_calls
from stepdown.config import thresholds
from stepdown.core import display
from stepdown.core.ports import Line
from stepdown.core.tiering import route_to_model
from stepdown.errors import NotEnoughData
from stepdown.logs.lines import read_lines
from stepdown.logs.sources import expand, read_chunks
from stepdown.render import next_step, progress_bar, say, show, table
from stepdown.route.captured import compared_lines
from stepdown.route.compared import compared_rows, read_judged
from stepdown.route.learn import Learned, learn
from stepdown.route.report import Report
from stepdown.route.rows import Compared, Gathered, gathered
from stepdown.students.static import find_static

__all__ = ["routing"]

_NEARLY_ALL = 0.95


@click.command()
@click.argument("files", nargs=-1, metavar="[FILES…]")
@click.option("--weak", metavar="MODEL", help="In FILES, the cheaper model.")
@click.option("--strong", metavar="MODEL", help="In FILES, the model that it is compared with.")
@common
def routing(session: Session, files: tuple[str, ...], weak: str | None, strong: str | None) -> None:
    """Fit how hard a call of no known task is, on captured comparisons and those in FILES.

    FILES are JSON Lines (plain, .gz or .zst): {"prompt" or "request", "models": {name: {"correct"
    or "score"}}}. Exit status 1: the score is no better than the base rate, and stays off.
    """
    with progress_bar() as progress:
        found = _comparisons(session, files, weak, strong)
        try:
            learned = learn(found.rows, find_static(), progress)
        except NotEnoughData as few:
            raise NotEnoughData(f"{few}{_left_out(found.skipped)}") from few
    learned = _told(session, learned, found)
    report = learned.report
    name = publish_score(session.workspace, learned.score, report, found.rows, steps.now())
    if session.json:
        print_json({"score": name, **msgspec.to_builtins(report), "base_rate": report.base_rate})
    else:
        _show(report, name)
    if not report.usable:
        next_step(session.typed("stepdown serve") + "   with [routing] compare_share, for more")
        raise SystemExit(1)
    enabled = session.config.routing.enabled
    more = "" if enabled else "   with [routing] enabled = true in stepdown.toml"
    next_step(session.typed("stepdown serve") + more)


def _comparisons(
    session: Session, files: Sequence[str], weak: str | None, strong: str | None
) -> Gathered:
    """Return the captured comparisons and then those of the files: the newest are learnt from."""
    items: list[Compared | str] = list(compared_lines(lambda: captured_calls(session).lines()))
    if files:
        items += compared_rows(read_judged(_lines(files)), weak, strong)
    return gathered(items)


def _lines(files: Sequence[str]) -> Iterator[bytes | str]:
    paths, _ = expand(files)
    for path in paths:
        for line in read_lines(read_chunks(path, _nothing), path):
            yield line.data if isinstance(line, Line) else line


def _nothing(count: int) -> None:
    """Tell nobody of bytes read."""


def _told(session: Session, learned: Learned, found: Gathered) -> Learned:
    """Return it with the share of calls for each tier, and what was left out."""
    usual, types = thresholds(session.config.routing)
    tiers = Counter(
        route_to_model(kind, probability, usual, types)
        for kind, probability in zip(learned.types, learned.probabilities, strict=True)
    )
    rows = len(learned.types)
    shares: dict[str, float] = {t: tiers[t] / rows for t in ("small", "mid", "frontier")}
    report = msgspec.structs.replace(learned.report, shares=shares, skipped=found.skipped)
    return msgspec.structs.replace(learned, report=report)


def _left_out(skipped: dict[str, int]) -> str:
    if not skipped:
        return ""
    worst = sorted(skipped.items(), key=lambda item: -item[1])[:3]
    return f" Left out: {', '.join(f'{why}: {count:,}' for why, count in worst)}."


def _show(report: Report, name: str) -> None:
    rows: list[list[Any]] = [
        [source, display.count(count), display.share(hard / count)]
        for source, (count, hard) in report.sources.items()
    ]
    rows += [
        [f"of type {kind}", display.count(count), display.share(hard / count)]
        for kind, (count, hard) in report.types.items()
    ]
    show(table("Comparisons", ["source", ">rows", ">hard"], rows))
    for why, count in sorted(report.skipped.items(), key=lambda item: -item[1]):
        say(f"Left out: {why}: {count:,}.")
    say(f"Score {name}, out of fold: {report.headline}.")
    say(
        f"Brier score {report.brier:.4f}; of the base rate of {display.share(report.base_rate)}: "
        f"{report.brier_base:.4f}. Calibrated by {report.calibration}."
    )
    parts = ", ".join(f"{tier} {display.share(part)}" for tier, part in report.shares.items())
    say(f"At the thresholds calls like these would go to: {parts}.")
    tier, most = max(report.shares.items(), key=lambda item: item[1])
    if most > _NEARLY_ALL:
        say(
            f"Nearly all of them are {tier}: for another split set [routing] mid and frontier "
            f"around the base rate of {display.share(report.base_rate)}."
        )
    say(f"{'Usable' if report.usable else 'Not usable, so it is off'}. {report.why}")
