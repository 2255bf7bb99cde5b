"""The gateway's state: what it serves now, whom it knows, and what it still has to finish."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from stepdown.core.redaction import Redactor, redactor
from stepdown.errors import StepdownError, UsageError
from stepdown.serve.callers import callers_of, known_keys_of
from stepdown.serve.capture import Capture, Outbox, Turn
from stepdown.serve.chain import Chain, Link, chains_of
from stepdown.serve.desk import Desk
from stepdown.serve.dialects import CHAT, MESSAGES, Dialect
from stepdown.serve.headers import KEY_HEADERS, Headers, forwarded, own_keys
from stepdown.serve.live import Load, Loaded
from stepdown.serve.metrics import Gauges, Metrics
from stepdown.serve.reloading import Config, Reload, Reloaded, no_reload, renewed, retire
from stepdown.serve.settings import Settings, is_loopback
from stepdown.serve.shapes import Shapes
from stepdown.serve.siblings import Siblings
from stepdown.serve.students import StudentRunner, warm_up
from stepdown.serve.tiers import Conversations, is_kept_there
from stepdown.serve.till import Till
from stepdown.serve.upstream import Upstream
from stepdown.serve.watch import Watch

__all__ = ["Gateway", "new_turn"]

_LOOK_UPSTREAM_S = 10.0
_NO_OWN_KEY = (
    "There are virtual keys, and they never go upstream, so the gateway needs a key of its own "
    "there; name its variable as [tiers.frontier] api_key_env in stepdown.toml."
)

log = logging.getLogger("stepdown.serve")


class Gateway:
    """Everything that requests share. It runs on one event loop.

    Raises:
        StepdownError: what `load` and the desk raise at start; there are virtual keys, and no key
            of the upstream's to go on with.
    """

    draining = False
    cut_off = False
    """Whether the time to drain is over, and what is under way is broken off."""

    fell_back = 0
    under_way = 0

    config = Config()
    """How the configuration stands."""

    reload_config: Reload = staticmethod(no_reload)
    """Reads the configuration again."""

    on_reload: Callable[[], None] | None = None
    """Told when other settings were taken up."""

    siblings: Siblings | None = None
    """The other workers on the port, where there are some."""

    def __init__(
        self, settings: Settings, load: Load, outbox: Outbox, desk: Desk | None = None
    ) -> None:
        self.settings = settings
        limits, timeouts = settings.limits, settings.timeouts
        self.chains = chains_of(settings)
        frontier = self.chains.frontier
        self.upstream = frontier[0].upstream if frontier else Upstream(None, limits, timeouts)
        self.conversations = Conversations(limits.conversations, timeouts.conversation)
        self.students = StudentRunner(timeouts.student, limits.students_waiting)
        self.shapes = Shapes()
        clean = redactor(settings.redact, settings.secrets(), settings.regions)
        self.redaction = settings.redaction.name
        self.capture = Capture(outbox, timeouts.commit, clean)
        self.watch = Watch(settings, clean.clean)
        self.load_problem = self.keys_problem = ""
        self.problems: dict[str, str] = {}
        self.started_at, self._began = int(time.time()), time.monotonic()
        self._load = load
        first = self._load_warm(None)
        if first is None:
            raise TypeError("load(None) has to return what to serve")
        self.loaded: Loaded = first
        self.desk = desk or Desk()
        self.till = Till(self.desk, settings)
        self.callers = callers_of(settings, self.desk.keys(None))
        if self.callers.virtual and frontier and frontier[0].api_key is None:
            raise UsageError(_NO_OWN_KEY)
        self._known_keys = known_keys_of(settings)
        self._background: set[asyncio.Task[None]] = set()
        self._standing: set[asyncio.Task[None]] = set()
        self._reloading, self._reading_keys = asyncio.Lock(), asyncio.Lock()
        self.metrics = Metrics(self._state)

    def may_watch(self, headers: Headers) -> bool:
        """Say whether the caller may read the metrics: on this machine, or with a client key."""
        if is_loopback(self.settings.host):
            return True
        caller = self.callers.identified(headers)
        return caller is not None and caller.key is None

    def _state(self) -> Gauges:
        """Return the gauges that nobody has to keep."""
        upstreams = [
            ((name, link.upstream.address), link.upstream)
            for name, link in self.chains.by_name().items()
        ]
        return {
            "generation": self.loaded.generation,
            "uptime_seconds": time.monotonic() - self._began,
            "draining": float(self.draining),
            "students_off": len(self.students.switched_off()),
            "upstream_held_back": float(self.upstream.breaker.open),
            "upstream_retries": sum(one.retried for _, one in upstreams),
            "upstream_fallbacks": self.fell_back,
            "breaker_open": [(key, float(one.breaker.open)) for key, one in upstreams],
            "requests_at": [(key, float(one.under_way)) for key, one in upstreams],
            "upstream_under_way": self.upstream.under_way,
            "keys_asked": sum(one.asked for one in self.till.accounts.values()),
            "keys_refused": sum(one.refused for one in self.till.accounts.values()),
            **self.till.by_key(),
            **self.watch.counts(),
            **self.capture.counts(),
        }

    async def open(self) -> None:
        """Start what needs the running loop."""
        worker = self.settings.worker
        if worker is not None:
            folder, page = Path(worker.folder), self.metrics.page
            self.siblings = Siblings(folder, worker.number, page, self._obey)
            await self.siblings.open()
        for upstream in self.chains.upstreams():
            await upstream.open()
        self._start(self._poll(), self._standing)
        self._start(self._poll_keys(), self._standing)
        for upstream in self.chains.upstreams():
            self._start(self._look(upstream), self._standing)

    async def close(self) -> None:
        """Stop what runs beside the requests, and let go of the upstream."""
        if self.siblings is not None:
            await self.siblings.close()
        tasks = [*self._background, *self._standing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for upstream in self.chains.upstreams():
            await upstream.close()
        self.students.close()
        await asyncio.to_thread(self.watch.close)
        await self.till.close()

    async def reload(self) -> Config:
        """Take up the configuration as it is now; where it can't be, the old one stands."""
        async with self._reloading:
            try:
                found = await asyncio.to_thread(self.reload_config)
                await self._take_up(found)
            except Exception as problem:  # noqa: BLE001 - whatever is wrong with the new one, the old one stands
                told = _told(problem)
                log.warning("The changed configuration is not taken up: %s", told)
                self.config = msgspec.structs.replace(self.config, problem=told)
            else:
                for note in found.notes:
                    log.warning("%s", note)
                self.config = Config(self.config.reloads + 1, "", found.notes)
        return self.config

    def reload_soon(self) -> None:
        """Take up the configuration beside the requests."""

        async def reload() -> None:
            await self.reload()

        self._start(reload(), self._standing)

    def _obey(self, order: str) -> None:
        """Do what an operator has told another worker."""
        word, _, student = order.partition(" ")
        if word == "reload":
            self.reload_soon()
        elif word == "off":
            self.students.held.add(student)
        elif word == "on":
            self.students.held.discard(student)

    async def pass_on(self, order: str) -> int:
        """Let the other workers do what an operator has told this one, where there are some;
        returns how many have heard it, this one included."""
        return 1 + (await self.siblings.pass_on(order) if self.siblings is not None else 0)

    async def _take_up(self, found: Reloaded) -> None:
        """Serve by other settings from the next request on.

        Raises:
            StepdownError: they can't be served by.
        """
        settings = renewed(self.settings, found.settings)
        there, longest_s = self.chains.upstreams(), self.settings.timeouts.deadline
        chains = chains_of(settings, there)
        load = found.load or self._load
        loaded = await asyncio.to_thread(self._load_warm, None, load) if found.load else None
        clean = redactor(settings.redact, settings.secrets(), settings.regions)
        # The keys last, and nobody else reads them meanwhile: a key that was revoked while the rest
        # was made ready must not come back.
        async with self._reading_keys:
            callers = callers_of(settings, await asyncio.to_thread(self.desk.keys, None))
            if callers.virtual and chains.frontier and chains.frontier[0].api_key is None:
                raise UsageError(_NO_OWN_KEY)
            watch = Watch(settings, clean.clean)
            for upstream in chains.upstreams():
                if upstream not in there:
                    await upstream.open()
            # All of it at once: nothing waits from here on.
            self.settings, self.chains, self.callers, self._load = settings, chains, callers, load
        self.loaded = loaded or self.loaded
        self._go_by(found, clean, there, longest_s)
        old, self.watch = self.watch, watch
        self._start(asyncio.to_thread(old.close), self._standing)

    def _go_by(
        self, found: Reloaded, clean: Redactor, there: list[Upstream], longest_s: float
    ) -> None:
        """Let everything else go by the settings that were just taken up."""
        settings, chains = self.settings, self.chains
        frontier = chains.frontier
        self.upstream = (
            frontier[0].upstream if frontier else Upstream(None, settings.limits, settings.timeouts)
        )
        self.redaction = settings.redaction.name
        self.capture.take_up(settings.timeouts.commit, clean)
        self.till.take_up(settings, found.price or self.till.price)
        if settings.answers_known_keys_only != (self._known_keys is not None):
            self._known_keys = known_keys_of(settings)
        if self.on_reload is not None:
            self.on_reload()
        for upstream in chains.upstreams():
            upstream.bound(settings.limits, settings.timeouts)
        for upstream in chains.upstreams():
            if upstream not in there:
                self._start(self._look(upstream), self._standing)
        for upstream in there:
            if upstream not in chains.upstreams():
                self._start(retire(upstream, longest_s), self._standing)

    def may_be_answered(self, turn: Turn) -> bool:
        """Say whether a student may answer: the caller's key is ours, or was accepted upstream."""
        known = self._known_keys
        return known is None or turn.caller.known or known.has(turn.headers)

    def chain_of(self, turn: Turn) -> Chain:
        """Return whom the turn's request is put to, one after another, as far as may be for its
        caller: our keys are for callers whose own are known."""
        if turn.way:
            return turn.way
        chain = self.chains.frontier_of(self._dialect_of(turn))
        if len(chain) > 1 and (is_kept_there(turn) or not self.may_be_answered(turn)):
            return chain[:1]
        return chain

    def forwarded(self, turn: Turn, link: Link) -> list[tuple[str, str]]:
        """Return the headers that go upstream; a key that the gateway knows as its own stays."""
        sent, dialect = turn.headers, self._dialect_of(turn)
        if link.api_key is None:
            elsewhere = dialect is not MESSAGES and self.chains.messages is not self.chains.frontier
            sent = own_keys(sent, link.upstream.address, anthropics_elsewhere=elsewhere)
            if self.callers.required:
                own = self.callers.identified
                sent = [one for one in sent if one[0] not in KEY_HEADERS or own([one]) is None]
        return forwarded(sent, link.api_key, dialect.key_header)

    def _dialect_of(self, turn: Turn) -> Dialect:
        """Return whose address a turn is for: at paths that all dialects share, the headers tell,
        so that a key for Anthropic goes to no other address."""
        shared = turn.dialect is CHAT and turn.request is None
        if not shared or self.chains.messages is self.chains.frontier:
            return turn.dialect
        names = {name for name, _ in turn.headers}
        keyed = b"x-api-key" in names and b"authorization" not in names
        return MESSAGES if keyed or b"anthropic-version" in names else CHAT

    def model_of(self, dialect: Dialect) -> str | None:
        """Return the frontier's model for callers who name none, where one is configured: that of
        the address that the dialect has, since another's is not there."""
        settings = self.settings
        if settings.messages is not None and dialect is MESSAGES:
            return settings.messages.model
        return settings.frontier_model

    def accepted_upstream(self, headers: Headers) -> None:
        """Remember that the upstream accepted this caller's key."""
        if self._known_keys is not None:
            self._known_keys.add(headers)

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work that no caller waits for, or skip it when there is enough of it already."""
        if len(self._background) < self.settings.limits.audits:
            self._start(work, self._background)
        else:
            work.close()

    @property
    def upstream_problem(self) -> str:
        """Why the frontier's first upstream can't be reached, or ""."""
        return self.problems.get(self.upstream.address, "")

    def _start(self, work: Coroutine[Any, Any, None], owner: set[asyncio.Task[None]]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        owner.add(task)
        task.add_done_callback(owner.discard)

    async def _poll(self) -> None:
        """Take up each new generation of the policy; what is under way keeps the one it has."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.settings.timeouts.poll)
            self.till.tidy()
            try:
                newer = await loop.run_in_executor(None, self._load_warm, self.loaded.generation)
            except Exception as problem:  # noqa: BLE001 - whatever is wrong with the new policy, the old one stands
                self._note(problem)
                continue
            self.load_problem = ""
            if newer is not None:
                self.loaded = newer
                self.students.keep_only({live.student.id for live in newer.routes.values()})

    async def _poll_keys(self) -> None:
        """Take up each change of the keys, however long a policy takes to load meanwhile."""
        while True:
            await asyncio.sleep(self.settings.timeouts.poll)
            await self.take_up_keys()

    async def take_up_keys(self) -> None:
        """Know the keys as they are now."""
        async with self._reading_keys:
            generation = self.callers.generation
            try:
                newer = await asyncio.to_thread(self.desk.keys, generation)
            except Exception as problem:  # noqa: BLE001 - whatever is wrong with the file, the keys that are known stand
                self.keys_problem = _told(problem)
                return
            self.keys_problem = ""
            if newer is not None:
                self.callers.take_up(newer)

    def _load_warm(self, generation: int | None, load: Load | None = None) -> Loaded | None:
        newer = (load or self._load)(generation)
        for live in newer.routes.values() if newer else ():
            warm_up(live.student)
        return newer

    def _note(self, problem: Exception) -> None:
        text = _told(problem)
        if text != self.load_problem:
            log.warning("The new policy can't be loaded; the old one stands: %s", text)
        self.load_problem = text

    async def _look(self, upstream: Upstream) -> None:
        """Watch whether an upstream can be reached, and say so when that changes."""
        while upstream in self.chains.upstreams():
            problem = await upstream.unreachable()
            if problem and not self.problems.get(upstream.address):
                log.warning("%s Students still answer.", problem)
            self.problems[upstream.address] = problem
            await asyncio.sleep(_LOOK_UPSTREAM_S)


def new_turn(method: str, path: str, headers: Headers) -> Turn:
    """Begin a turn; its id sorts by time."""
    now = time.time()
    request_id = f"{int(now * 1000):012x}{os.urandom(10).hex()}"
    return Turn(request_id, now, time.monotonic(), method, path, headers)


def _told(problem: Exception) -> str:
    return str(problem) if isinstance(problem, StepdownError) else repr(problem)
