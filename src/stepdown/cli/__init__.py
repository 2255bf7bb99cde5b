"""The command line: one module a command, imported when it is called."""

import contextlib
import importlib
import os
import resource
import sys
from typing import Any, NamedTuple

import click

from stepdown import __version__
from stepdown.cli.ending import UNREAD, of_system, refuse, stop_output
from stepdown.errors import StepdownError, UsageError

__all__ = ["COMMANDS", "main"]


class _Entry(NamedTuple):
    module: str
    attribute: str
    help: str


COMMANDS = {
    "demo": _Entry("demo", "demo", "The whole story on a bundled real log; no key, no network."),
    "run": _Entry("run", "run", "Audit a log, then train, prove and promote every candidate task."),
    "audit": _Entry("audit", "audit", "Tasks in a log: anatomy, spend and a verdict for each."),
    "label": _Entry("label", "label", "Make a task's dataset from the teacher's logged answers."),
    "train": _Entry("train", "train", "Train the smallest student that the data allows."),
    "prove": _Entry("prove", "prove", "Certify a student against the error budget, with a report."),
    "promote": _Entry("routes", "promote", "Let a proven student answer its task."),
    "shadow": _Entry("routes", "shadow", "Let a proven student answer nobody, and be recorded."),
    "canary": _Entry(
        "routes", "canary", "Let a proven student answer a share of its task's calls."
    ),
    "rollback": _Entry("routes", "rollback", "Go back to the route before this one."),
    "serve": _Entry("serve", "serve", "The gateway: the API that you call already."),
    "keys": _Entry("keys", "keys", "Virtual keys: who may call the gateway, and how much."),
    "routing": _Entry(
        "routing", "routing", "Fit how hard calls of no known task are, and say if it helps."
    ),
    "forget": _Entry("forget", "forget", "Take out all that is held of somebody, or for too long."),
    "export": _Entry("export", "export", "Write out the calls that are held, of all or of one."),
    "status": _Entry("status", "status", "Tasks, students, proofs, routes and captured calls."),
    "models": _Entry(
        "models", "models", "The students of this workspace and the families there are."
    ),
    "bench": _Entry("bench", "bench", "Measure what docs/benchmarks.md prints."),
    "plugins": _Entry(
        "plugins", "plugins", "Log formats, families and providers that are installed."
    ),
}
"""Every command, in the order of the story; `--help` is made from this table alone."""


class _Commands(click.Group):
    """Knows the commands by the table and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as problem:
            # click would end with 1, "no, and why", and say nothing.
            stop_output()
            raise click.exceptions.Exit(UNREAD) from problem

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        return getattr(importlib.import_module(f"stepdown.cli.{entry.module}"), entry.attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stepdown")
def _stepdown() -> None:
    """Find the narrow calls in your LLM log, train the smallest model for each, prove it, serve it.

    Start with `stepdown demo`, or with your own log: `stepdown audit LOG`.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its status: 0 done, 1 no and why, 2 bad usage or input.

    It is 130 after Ctrl-C, and 141 where what reads the output has closed it.
    """
    given = sys.argv[1:] if arguments is None else arguments
    # What commands write holds a team's text, and what they know holds its keys: neither a file
    # that others may read nor a core dump.
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # It was closed by whoever started us: what is said goes nowhere.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    sys.exit(_ended(given))


def _ended(given: list[str]) -> int:
    as_json = "--json" in given
    try:
        status = _stepdown.main(given, prog_name="stepdown", standalone_mode=False)
        sys.stdout.flush()
        return status or 0
    except click.ClickException as error:
        if not as_json:
            with contextlib.suppress(OSError):
                error.show()
            return error.exit_code
        return refuse(UsageError(error.format_message()), as_json)
    except click.Abort:
        return 130
    except BrokenPipeError:
        stop_output()
        return UNREAD
    except StepdownError as error:
        return refuse(error, as_json)
    except OSError as problem:
        return refuse(of_system(problem), as_json)
