"""`stepdown promote`, `shadow`, `canary` and `rollback`: who answers a task from now on."""

import click

from stepdown.cli import steps
from stepdown.cli.options import FiniteRange, Session, common, print_json
from stepdown.core import display
from stepdown.core.routes import Mode, Policy
from stepdown.core.tasks import Task
from stepdown.render import next_step, say
from stepdown.workspace.policies import change_policy, rolled_back

__all__ = ["canary", "promote", "rollback", "shadow"]


@click.command()
@click.argument("task")
@common
def promote(session: Session, task: str) -> None:
    """Let the student of TASK's newest passed proof answer what it is sure of."""
    _route(session, task, "live", 1.0)


@click.command()
@click.argument("task")
@common
def shadow(session: Session, task: str) -> None:
    """Let TASK's student answer beside the upstream, unseen by callers, to be recorded."""
    _route(session, task, "shadow", 1.0)


@click.command()
@click.argument("task")
@click.option(
    "--share",
    type=FiniteRange(0, 1, min_open=True),
    default=0.05,
    show_default=True,
    help="Share of the task's calls that the student may answer.",
)
@common
def canary(session: Session, task: str, share: float) -> None:
    """Let TASK's student answer a share of its calls."""
    _route(session, task, "canary", share)


@click.command()
@click.argument("task")
@common
def rollback(session: Session, task: str) -> None:
    """Go back to TASK's route before this one; with none, every call goes upstream again."""
    found = session.workspace.task(task)
    policy = change_policy(session.workspace.policy, found.id, rolled_back)
    _tell(session, found, policy)


def _route(session: Session, name: str, mode: Mode, share: float) -> None:
    task = session.workspace.task(name)
    _tell(session, task, steps.promote(session, task, mode, share))


def _tell(session: Session, task: Task, policy: Policy) -> None:
    route = policy.routes.get(task.id)
    if session.json:
        print_json({"task": task.name, "generation": policy.generation, "route": route})
    if route is None:
        say(f"{task.name}: every call goes upstream again.")
    else:
        what = {
            "live": "answers what it is sure of",
            "canary": f"answers what it is sure of in {display.share(route.share)} of the calls",
            "shadow": "is asked too, and its answers are recorded, not sent",
            "off": "is off",
        }[route.mode]
        say(f"{task.name}: student {route.student} {what} (threshold {route.threshold:.4f}).")
    command = session.typed("stepdown serve")
    next_step(f"{command}   (a running gateway takes it up within a second)")
