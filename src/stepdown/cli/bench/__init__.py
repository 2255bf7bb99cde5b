"""`stepdown bench`: measure what docs/benchmarks.md prints, and print only what was measured."""

import importlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from stepdown.cli.bench.figures import Figure, breaks, hardware, markdown, met, with_section
from stepdown.cli.options import Session, common, print_json
from stepdown.core.ports import Progress
from stepdown.errors import InputError, Refusal
from stepdown.render import next_step, progress_bar, say, show, table
from stepdown.workspace.files import publish_file

__all__ = ["BENCHMARKS", "Benchmark", "bench"]

Benchmark = Callable[[Path, Progress], Sequence[Figure]]

BENCHMARKS = {
    "banking77": "stepdown.cli.bench.classification:banking77",
    "chain": "stepdown.cli.bench.chain:chain",
    "encoder": "stepdown.cli.bench.encoder:encoder",
    "encoder-snips": "stepdown.cli.bench.encoder:encoder_snips",
    "encoder-receipts": "stepdown.cli.bench.encoder:encoder_receipts",
    "tuned": "stepdown.cli.bench.tuned:tuned",
    "tuned-snips": "stepdown.cli.bench.tuned:tuned_snips",
    "generative": "stepdown.cli.bench.generative:generative",
    "active": "stepdown.cli.bench.active:active",
    "shift": "stepdown.cli.bench.classification:shift",
    "novelty": "stepdown.cli.bench.novelty:novelty",
    "spans": "stepdown.cli.bench.extraction:spans",
    "receipts": "stepdown.cli.bench.extraction:receipts",
    "contracts": "stepdown.cli.bench.contracts:contracts",
    "snips": "stepdown.cli.bench.tools:snips",
    "sgd": "stepdown.cli.bench.tools:sgd",
    "latency": "stepdown.cli.bench.classification:latency",
    "http": "stepdown.cli.bench.http:http_added",
    "audit": "stepdown.cli.bench.scale:audit_rate",
    "audit-formats": "stepdown.cli.bench.sources:audit_formats",
    "code-scan": "stepdown.cli.bench.sources:code_scan",
    "labelling": "stepdown.cli.bench.labelling:labelling",
    "storage": "stepdown.cli.bench.beside:storage",
    "ray-scale": "stepdown.cli.bench.beside:ray_scale",
    "grouping": "stepdown.cli.bench.grouping:grouping",
    "redaction": "stepdown.cli.bench.redaction:redaction",
    "routing-mmlu": "stepdown.cli.bench.routing:routing_mmlu",
    "routing-multi": "stepdown.cli.bench.routing_multi:routing_multi",
    "poisoning": "stepdown.cli.bench.poisoning:poisoning",
    "gateway": "stepdown.cli.bench.gateway.parts:all_but_memory",
    "gateway-memory": "stepdown.cli.bench.gateway.parts:memory",
    "gateway-students": "stepdown.cli.bench.gateway.parts:students",
    "gateway-relayed": "stepdown.cli.bench.gateway.parts:relayed",
    "gateway-streams": "stepdown.cli.bench.gateway.parts:streams",
    "gateway-blackhole": "stepdown.cli.bench.gateway.parts:black_hole",
    "gateway-start": "stepdown.cli.bench.gateway.parts:start",
    "gateway-kills": "stepdown.cli.bench.gateway.parts:kill_9",
    "gateway-mutations": "stepdown.cli.bench.gateway.parts:mutations",
}
"""Each benchmark by name; it gets the data folder and says how far it is."""

_GATEWAY = "gateway"
_DATA_SETS = [name for name in BENCHMARKS if not name.startswith((_GATEWAY, "ray-"))]
"""Those that read data sets and take no cluster; they are run where none is named."""


def _load(name: str) -> Benchmark:
    module, _, attribute = BENCHMARKS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default="../shared/data",
    show_default=True,
    help="Folder of the data sets, one <name>/<name>.jsonl.zst each.",
)
@click.option("--only", multiple=True, type=click.Choice(list(BENCHMARKS)), help="Run these alone.")
@click.option(
    "--markdown",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Put the figures into this page.",
)
@common
def bench(session: Session, data: Path, only: tuple[str, ...], page: Path | None) -> None:
    """Measure accuracy, guarantee, latency and scale on the data sets of DIR."""
    names = only or _DATA_SETS
    if not data.is_dir() and not set(names).isdisjoint(_DATA_SETS):
        raise InputError(f"There is no folder {data}; name the data sets' folder with --data DIR.")
    measured: list[tuple[str, Sequence[Figure]]] = []
    with progress_bar() as progress:
        for name in names:
            began = time.monotonic()
            figures = _load(name)(data, progress)
            measured.append((name, figures))
            say(f"{name}: {time.monotonic() - began:.0f} s")
            if not session.json:
                # At once: the next one may take an hour, or be stopped.
                _print(name, figures)
            if page is not None:
                _publish(page, name, figures)
    if session.json:
        print_json({"hardware": hardware(), "figures": dict(measured)})
    else:
        say(f"Measured on {hardware()}.")
    if page is not None:
        say(f"The page lies in {page}.")
    _refuse_broken([figure for _, figures in measured for figure in figures])
    next_step("stepdown audit LOG, with a log of your own")


def _refuse_broken(figures: Sequence[Figure]) -> None:
    """Fail where a count is not what it must be; a time that is too long is only told."""
    broken = [f"{figure.name}: {figure.value}" for figure in figures if breaks(figure)]
    if broken:
        raise Refusal(f"What must be so is not; find the cause: {'; '.join(broken)}.")


def _publish(page: Path, name: str, figures: Sequence[Figure]) -> None:
    """Put the figures into the page; the other benchmarks' sections stay as they were."""
    before = page.read_text(encoding="utf-8") if page.is_file() else ""
    command = f"stepdown bench --only {name}" if name.startswith(_GATEWAY) else ""
    after = with_section(before, name, markdown(name, figures, command), list(BENCHMARKS))
    publish_file(page, after.encode(), mode=0o644)


def _print(name: str, figures: Sequence[Figure]) -> None:
    rows = [[f.name, f.value, _target(f), met(f)] for f in figures]
    show(table(name, ["figure", ">measured", ">target", "met"], rows))
    for figure in figures:
        told = [text for text in (figure.spread, figure.note) if text]
        if told:
            say(f"{figure.name}: {'; '.join(told)}")


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    return f"{'≤' if figure.at_most else '≥'} {figure.target:g}"
