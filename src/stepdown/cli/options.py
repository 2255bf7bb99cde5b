"""Options that every command takes, and what they settle into."""

import contextlib
import functools
import json
import math
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec
from click.core import ParameterSource

from stepdown import plugins
from stepdown.config import Config, Terms, load_config, terms_for
from stepdown.core.ports import Engine
from stepdown.core.proofs import ContractKind
from stepdown.engines.local import Local
from stepdown.errors import ArtefactError
from stepdown.render import say
from stepdown.workspace import Workspace

__all__ = ["MAP_HELP", "WORKER", "FiniteRange", "Session", "common", "print_json"]

MAP_HELP = "Where the log's lines tell a field, such as input=body.question; may be repeated."

_WORKSPACE = ".stepdown"
_CONFIG = "stepdown.toml"
_VARIABLE = "STEPDOWN_WORKSPACE"
WORKER = "STEPDOWN_WORKER"
"""The environment variable that tells a process that it is one of a gateway's workers."""


class Session(msgspec.Struct, frozen=True):
    """One command's workspace, configuration and common options.

    `reference` says in the proofs what the students are compared with, `gold` that it is people's
    word; `config_file` is where the configuration was read.
    """

    workspace: Workspace
    config: Config
    budget: float | None = None
    contract: ContractKind | None = None
    confidence: float | None = None
    json: bool = False
    yes: bool = False
    reference: str = "the teacher's logged answers"
    gold: bool = False
    config_file: Path = Path(_CONFIG)
    engine: Engine = msgspec.field(default_factory=Local)

    def terms(self, task: str) -> Terms:
        """The promise for the task of that name."""
        return terms_for(
            self.config,
            task,
            error_budget=self.budget,
            contract=self.contract,
            confidence=self.confidence,
        )

    def unknown_tasks(self) -> list[str]:
        """Return the `[tasks.…]` of the configuration that no task of the workspace is called by;
        none where it has no tasks yet, or where they can't be read."""
        try:
            named = self.config.tasks
            return self.workspace.unknown(named) if named and self.workspace.tasks() else []
        except ArtefactError:  # whoever needs the tasks says it
            return []

    def typed(self, command: str) -> str:
        """Return the command as it is typed to reach this workspace and configuration again."""
        found = os.environ.get(_VARIABLE) or _WORKSPACE
        if self.workspace.root != Path(found):
            command += f" --workspace {shlex.quote(str(self.workspace.root))}"
        if self.config_file != Path(_CONFIG):
            command += f" --config {shlex.quote(str(self.config_file))}"
        return command


class FiniteRange(click.FloatRange):
    """A number between bounds; nan and infinity, which a float range lets pass, are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or fail as the option's other faults do."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


_SHARE = FiniteRange(0, 1, min_open=True, max_open=True)

_OPTIONS = (
    click.option(
        "--workspace",
        type=click.Path(path_type=Path, file_okay=False),
        default=_WORKSPACE,
        envvar=_VARIABLE,
        show_default=True,
        help="Folder of tasks, datasets, students, proofs and captured calls.",
    ),
    click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path, dir_okay=False),
        default=_CONFIG,
        show_default=True,
        help="Configuration file; one that is named has to be there.",
    ),
    click.option("--budget", type=_SHARE, help="Error budget, such as 0.02."),
    click.option(
        "--contract",
        type=click.Choice(["joint", "selective"]),
        help="What the budget is a share of: all calls, or the answered ones.",
    ),
    click.option("--confidence", type=_SHARE, help="Confidence of the certificate, such as 0.95."),
    click.option(
        "--engine",
        metavar="local|ray",
        default=Local.name,
        show_default=True,
        help="Where the work runs: in one process, or on a Ray cluster (extra `ray`).",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout."),
    click.option("--yes", is_flag=True, help="Ask nothing."),
)


def common(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the common options; it gets them as one `session` argument."""

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        config_file = given.pop("config_file")
        # Only the file that nobody has named may be missing: a slip of the pen must not serve
        # without keys.
        source = click.get_current_context().get_parameter_source("config_file")
        config = load_config(config_file, required=source is not ParameterSource.DEFAULT)
        engine = _engine(given.pop("engine"), config.engine.workers)
        session = Session(
            workspace=Workspace(given.pop("workspace")),
            config=config,
            config_file=config_file,
            budget=given.pop("budget"),
            contract=given.pop("contract"),
            confidence=given.pop("confidence"),
            json=given.pop("as_json"),
            yes=given.pop("yes"),
            engine=engine,
        )
        # A gateway's workers would say again what their parent has said.
        for name in () if WORKER in os.environ else session.unknown_tasks():
            say(f"{config_file} has [tasks.{name}], but no task here is called so, yet.")
        with contextlib.closing(engine):
            command(session=session, **given)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def _engine(name: str, workers: int | None) -> Engine:
    # The usual one is at hand: to ask what is installed takes longer than many a command.
    return Local() if name == Local.name else plugins.engine(name, workers)


def print_json(value: Any) -> None:
    """Print `value` as the command's one JSON object on stdout."""
    plain = msgspec.to_builtins(value)
    sys.stdout.write(json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()
