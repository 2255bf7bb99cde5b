"""`stepdown serve`: the gateway on the workspace's policy, until it is told to stop."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from stepdown.cli.gateway.collecting import (
    collecting,
    stored,
    tell_collected,
    tell_collecting,
    without_students,
)
from stepdown.cli.gateway.desk import desk_of, plane_of
from stepdown.cli.gateway.endpoints import chain_of, cheaper_of, endpoint_of, secret, with_score
from stepdown.cli.gateway.reloads import reloader
from stepdown.cli.gateway.workers import in_place
from stepdown.cli.keeping import keeper_of
from stepdown.cli.opening import open_student
from stepdown.cli.options import Session, common
from stepdown.cli.stores import open_outbox, open_purse
from stepdown.config import Config, ServeConfig, TierConfig
from stepdown.core.contracts import Contract
from stepdown.core.redaction import DEFAULT
from stepdown.core.routes import Route
from stepdown.core.tasks import Task, TaskIndex
from stepdown.errors import ArtefactError, ConfigError, StepdownError
from stepdown.render import say
from stepdown.serve.live import LiveRoute, Load, Loaded
from stepdown.serve.server import serve as run_gateway
from stepdown.serve.settings import Limits, Routing, Settings, Timeouts
from stepdown.students.backed import Backed
from stepdown.wire.asking import inquiry_of
from stepdown.workspace import Workspace
from stepdown.workspace.artefacts import verify_student
from stepdown.workspace.keys import read_keys
from stepdown.workspace.policies import read_policy
from stepdown.workspace.presence import announce

__all__ = ["loader", "serve", "settings_of"]

_OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"
_SYNC_COMMIT_S = 5.0
"""How long an answer waits for the disk where that is promised."""


@click.command()
@click.option("--host", help="Address to listen on (default 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port (default 8787; 0: any free one).")
@click.option(
    "--upstream", metavar="URL", help="API root of the model behind, with or without /v1."
)
@click.option("--verbose", is_flag=True, help="One line a request on stderr, without its text.")
@click.option(
    "--workers", type=click.IntRange(1, 64), help="Processes that share the port (default 1)."
)
@click.option("--collect", is_flag=True, help="Let no student answer: keep calls for an audit.")
@common
def serve(
    session: Session,
    host: str | None,
    port: int | None,
    upstream: str | None,
    verbose: bool,
    workers: int | None,
    collect: bool,
) -> None:
    """Answer what the students are sure of; send the rest upstream, unchanged."""

    def settle(session: Session) -> Settings:
        settings = settings_of(session.config, host=host, port=port, upstream=upstream)
        required = settings.keys_required or bool(read_keys(session.workspace.keys).keys)
        settings = msgspec.structs.replace(settings, verbose=verbose, keys_required=required)
        if collect:
            return collecting(settings)
        return with_score(settings, session.config, session.workspace)

    def loading(mid: TierConfig | None) -> Load:
        load = loader(session.workspace, mid)
        return without_students(load) if collect else load

    settings = in_place(session, settle(session), workers)
    before = stored(session) if collect else 0
    _run(session, settings, settle, loading, tell_collecting if collect else _tell)
    if collect and settings.worker is None:
        tell_collected(session, before)


def _run(
    session: Session,
    settings: Settings,
    settle: Callable[[Session], Settings],
    loading: Callable[[TierConfig | None], Load],
    tell: Callable[[Settings, Loaded, str], None],
) -> None:
    """Serve until a signal; `tell` says on stderr what there is, once it listens."""
    outbox = open_outbox(session, settings.worker.number if settings.worker else 1)
    seen: list[Loaded] = []
    load = _remembered(loading(session.config.tiers.get("mid")), seen)
    notes: list[Path] = []
    purse = open_purse(session)
    desk = desk_of(session, purse, soon=settings.keys_required)
    keeper = keeper_of(session, outbox)

    def ready(address: str) -> None:
        if settings.worker is None:
            notes.append(announce(session.workspace.root, address))
        if settings.worker is None or settings.worker.number == 1:
            try:
                tell(settings, seen[0], address)
            except OSError:
                # The terminal was closed meanwhile, and its signal tells. What it did not take
                # would fail once more at exit.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())

    try:
        reload = reloader(session, settle, load, loading)
        run_gateway(settings, load, outbox, on_ready=ready, desk=desk, reload=reload)
    finally:
        for note in notes:
            note.unlink(missing_ok=True)
        keeper.close()
        purse.close()
        outbox.close()


def _remembered(load: Load, seen: list[Loaded]) -> Load:
    def remember(generation: int | None) -> Loaded | None:
        found = load(generation)
        if found is not None:
            seen[:] = [found]
        return found

    return remember


def _tell(settings: Settings, loaded: Loaded, address: str) -> None:
    tasks = {task.id: task.name for task in loaded.tasks.tasks()}
    names = [name for task, name in tasks.items() if task in loaded.routes]
    say(f"Ready on {address}/v1; upstream: {settings.base_url or 'none, students only'}.")
    nothing = "nothing" if loaded.problems else "nothing yet; `stepdown run LOG` does it"
    say(f"Routed to students: {', '.join(names) or nothing}.")
    for task, problem in loaded.problems.items():
        say(f"{tasks.get(task, task)} goes upstream: {problem}")
    for task, note in loaded.notes.items():
        say(f"{tasks[task]}: {note}")
    for task, live in loaded.routes.items():
        if live.redacted != settings.redaction.name:
            say(
                f"{tasks[task]} goes upstream: its student learnt from text without "
                f"{live.redacted}, and [store] redact is {settings.redaction.name}; train it again."
            )
    if settings.admin is not None:
        say(f"Administration on http://{settings.admin.host}:{settings.admin.port}/admin/status.")
    if settings.routing.complexity is not None:
        say("Calls of no known task go to a tier by their score.")
    elif settings.routing.problem:
        say(settings.routing.problem)


def settings_of(
    config: Config, *, host: str | None, port: int | None, upstream: str | None
) -> Settings:
    """Settle the gateway's settings by configuration and options; raises as `secret` does."""
    frontier = config.tiers.get("frontier")
    base_url = upstream or (frontier.base_url if frontier else None)
    named = frontier if frontier and base_url == frontier.base_url else None
    own = config.serve
    return Settings(
        host=host or own.host,
        port=own.port if port is None else port,
        base_url=base_url,
        api_key=secret(named.api_key_env) if named and named.api_key_env else None,
        frontier_model=frontier.model if frontier else None,
        fallbacks=tuple(map(endpoint_of, named.fallbacks)) if named else (),
        messages=chain_of(named.messages) if named and named.messages else None,
        mid=cheaper_of(config.tiers.get("mid")),
        small=cheaper_of(config.tiers.get("small")),
        routing=Routing(compare_share=config.routing.compare_share),
        client_keys=_keys(own.client_keys_env),
        keys_required=own.keys == "required",
        admin=plane_of(config),
        max_usd_per_hour=own.max_usd_per_hour,
        max_output_tokens=own.max_output_tokens,
        audit_share=config.defaults.audit_share or 0.0,
        retries=own.retries,
        redact=config.store.redact,
        regions=config.store.regions,
        refuses_uncaptured=config.store.when_full == "refuse",
        durability=config.store.durability,
        allow_private=named is not None and named.allow_private,
        ask_usage=named.ask_usage if named else None,
        access_log=own.access_log or None,
        trace_share=own.trace_share,
        otlp_endpoint=own.otlp_endpoint or os.environ.get(_OTLP) or None,
        limits=_limits(own),
        timeouts=_timeouts(config, named),
    )


def _timeouts(config: Config, named: TierConfig | None) -> Timeouts:
    """Return the gateway's timeouts; those of the tier that is `named` stand above its own."""
    own, usual = config.serve, Timeouts()
    return Timeouts(
        first_byte=(named and named.first_byte_seconds) or own.first_byte_seconds,
        answer=(named and named.answer_seconds) or usual.answer,
        deadline=own.deadline_seconds,
        idle=own.idle_seconds,
        drain=own.drain_seconds,
        commit=_SYNC_COMMIT_S if config.store.durability == "sync" else usual.commit,
    )


def _limits(own: ServeConfig) -> Limits:
    return Limits(
        body_bytes=own.max_body_bytes,
        requests=own.max_requests,
        upstream_requests=own.max_upstream_requests,
    )


def _keys(variable: str | None) -> tuple[str, ...]:
    if variable is None:
        return ()
    return tuple(key.strip() for key in secret(variable).split(",") if key.strip())


def loader(
    workspace: Workspace, mid: TierConfig | None = None
) -> Callable[[int | None], Loaded | None]:
    """Return what the gateway asks for the newest policy; see `serve.live.Load`.

    `mid` is the tier whose model may stand behind students. A student that is loaded already is not
    loaded again; where a new one is damaged, the one before it answers on.
    """
    kept: dict[str, _Kept] = {}

    def load(generation: int | None) -> Loaded | None:
        policy = read_policy(workspace.policy)
        if policy.generation == generation:
            return None
        tasks = {task.id: task for task in workspace.tasks()}
        found: dict[str, _Kept] = {}
        problems: dict[str, str] = {}
        notes: dict[str, str] = {}
        for name, route in policy.routes.items():
            try:
                found[name] = _renewed(kept.get(name), workspace, tasks, route, mid)
            except StepdownError as error:
                old = kept.get(name)
                if old is None or not old.live.route.mode == route.mode == "live":
                    problems[name] = str(error)
                    continue
                found[name] = old
                notes[name] = f"{error} The student before it answers on."
        kept.clear()
        kept.update(found)
        routes = {name: one.live for name, one in found.items()}
        known = {name: f"{one.note}{_left_open(one.task)}" for name, one in found.items()}
        notes = {name: note for name, note in known.items() if note} | notes
        return Loaded(TaskIndex(tasks.values()), routes, policy.generation, problems, notes)

    return load


def _left_open(task: Task) -> str:
    """Say what to do where an earlier version's audit may have left rules of a prompt open."""
    signature = task.signature
    if task.seen or (len(signature.system.fragments) == 1 and len(signature.user.fragments) <= 2):
        return ""
    return (
        "Its audit left amounts and dates of its prompt open; audit its log again, promote the "
        "new task and roll this one back."
    )


class _Kept(msgspec.Struct, frozen=True):
    """A route that was loaded, of which task, and what people should know of it."""

    task: Task
    live: LiveRoute
    note: str


def _renewed(
    old: _Kept | None,
    workspace: Workspace,
    tasks: dict[str, Task],
    route: Route,
    mid: TierConfig | None,
) -> _Kept:
    """Return a route ready to serve, with the student that is loaded already where it is the one.

    What is in memory was verified when it was loaded.
    """
    if route.task not in tasks:
        raise ConfigError(f"The policy routes task {route.task}, which the workspace hasn't.")
    task = tasks[route.task]
    if old is not None and old.live.route.student == route.student and old.task == task:
        return _Kept(task, msgspec.structs.replace(old.live, route=route), old.note)
    return _Kept(task, *_live(workspace, task, route, mid))


def _live(
    workspace: Workspace, task: Task, route: Route, mid: TierConfig | None
) -> tuple[LiveRoute, str]:
    """Return the route with its student ready, and a note where the model behind it is not."""
    manifest = verify_student(workspace.students(route.task) / route.student)
    try:
        contract = msgspec.convert(manifest.contract, Contract)
    except msgspec.ValidationError as error:
        raise ArtefactError(
            f"Student {route.student} has no contract ({error}); train it again with "
            "`stepdown train`."
        ) from error
    redacted = str(manifest.training.get("redacted", DEFAULT.name))
    student = open_student(workspace, task, route.student)
    if not isinstance(student, Backed):
        return LiveRoute(route, student, contract, redacted=redacted), ""
    # The student alone loses no more than both together, so its part of the certificate stands.
    alone = LiveRoute(route, student.first, contract, student.gate, redacted=redacted)
    model = student.model
    if mid is None or (mid.model, mid.api) != (model.name, model.api):
        note = (
            f"its certificate counts on {model.name}, which [tiers.mid] does not name, so what the "
            "student leaves goes to the frontier model."
        )
        return alone, note
    inquiry = inquiry_of(task, model.name, model.api)
    return msgspec.structs.replace(alone, behind=inquiry), ""
