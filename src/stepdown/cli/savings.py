"""The savings ledger of a workspace: what its gateway's calls cost, and would have cost.

It is kept in `savings.json` and read on from where it stopped, so that a store of a million calls
is read once. What it was priced by stands in it: where that changes, it is read anew.
"""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from stepdown.audit.prices import ATTODOLLARS, cost_of, prices_as_of
from stepdown.cli.options import Session
from stepdown.cli.pricing import flat_rates
from stepdown.cli.stores import following
from stepdown.cli.student_costs import Made, made_for
from stepdown.config import Config
from stepdown.core.calls import Answer, Call, Request, Usage
from stepdown.core.fingerprint import fingerprint
from stepdown.core.ports import Progress, Tally, silent
from stepdown.core.savings import Account, Captured, Cost, bill, merged
from stepdown.core.tasks import Task
from stepdown.store.following import Follower
from stepdown.store.postgres import PostgresFollower
from stepdown.wire.captured import captured
from stepdown.workspace.files import publish_file

__all__ = ["Savings", "TaskSavings", "savings_of"]

_FILE = "savings.json"
_VERSION = 3
_MODELS = 50
_STAGE = "reading captured calls"
_TELL_EVERY = 5_000
_BATCH = 1_000


class _Ledger(msgspec.Struct, frozen=True):
    """What stands in the file: accounts by task id and tallies, up to the row `id` at `seq`.

    `unpriced` counts calls by a model without a known price, of the first models found;
    `unreadable` are lines that are no captured calls.
    """

    terms: str
    seq: int = 0
    id: str = ""
    accounts: dict[str, Account] = {}
    tallies: tuple[Tally, ...] = ()
    unpriced: dict[str, int] = {}
    unreadable: int = 0
    version: int = _VERSION


class TaskSavings(msgspec.Struct, frozen=True):
    """The account of one task ("": calls of no task), and what its students have cost to make."""

    task: str
    name: str
    account: Account
    made: Made

    @property
    def saving(self) -> int:
        """What was saved, all costs considered, in attodollars."""
        return self.account.saving(self.made.labelling + self.made.training)


class Savings(msgspec.Struct, frozen=True):
    """The whole ledger, the task that saves most first."""

    tasks: tuple[TaskSavings, ...]
    unpriced_models: Mapping[str, int]
    unreadable: int
    prices_as_of: str
    tallies: tuple[Tally, ...] = ()

    @property
    def total(self) -> TaskSavings:
        """All tasks together."""
        made = [task.made for task in self.tasks]
        whole = Made(
            sum(one.labelling for one in made),
            sum(one.training for one in made),
            sum(one.unknown for one in made),
        )
        return TaskSavings("", "all", merged(task.account for task in self.tasks), whole)


def savings_of(session: Session, tasks: list[Task], progress: Progress = silent) -> Savings:
    """Bring the workspace's ledger up to date and return it."""
    ledger = _read_on(session, tasks, progress)
    names = {task.id: task.name for task in tasks}
    ids = [*names, *(task for task in ledger.accounts if task not in names)]
    found = [
        TaskSavings(
            id,
            names.get(id, id) or "(no task)",
            ledger.accounts.get(id, Account()),
            made_for(session, id) if id in names else Made(),
        )
        for id in ids
    ]
    kept = (one for one in found if one.account != Account() or one.made != Made())
    ordered = tuple(sorted(kept, key=lambda one: -one.saving))
    tallies = tuple(sorted(ledger.tallies, key=lambda tally: -tally.count))
    return Savings(ordered, ledger.unpriced, ledger.unreadable, prices_as_of(), tallies)


def _read_on(session: Session, tasks: list[Task], progress: Progress) -> _Ledger:
    path = session.workspace.root / _FILE
    ledger = _kept(path, _terms(session.config, tasks))
    with following(session) as store:
        if store is None:
            return ledger
        if ledger.seq and not store.same_store(ledger.seq, ledger.id):
            ledger = _Ledger(ledger.terms)
        newer = _Reading(ledger, _cost(session.config), _models(session.config, tasks))
        newer.read(store, progress)
    if newer.ledger != ledger:
        # What only looks may look where it can't write: it is counted anew the next time.
        with contextlib.suppress(OSError):
            publish_file(path, msgspec.json.encode(newer.ledger))
    return newer.ledger


def _kept(path: Path, terms: str) -> _Ledger:
    """Return the ledger that is kept, or an empty one where it can't be gone on with."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Ledger)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return _Ledger(terms)
    return found if (found.terms, found.version) == (terms, _VERSION) else _Ledger(terms)


def _terms(config: Config, tasks: list[Task]) -> str:
    """Return the fingerprint of all that calls are priced by beside their own lines."""
    return fingerprint([prices_as_of(), flat_rates(config, ATTODOLLARS), _models(config, tasks)])


class _Reading:
    """A ledger on its way through the lines that it has not seen."""

    def __init__(self, ledger: _Ledger, cost: Cost, models: Mapping[str, str]) -> None:
        self.ledger = ledger
        self._cost = cost
        self._models = models
        self._unpriced = dict(ledger.unpriced)
        self._tallies = {_key(tally): tally for tally in ledger.tallies}

    def read(self, store: Follower | PostgresFollower, progress: Progress) -> None:
        """Read on to the end of the store."""
        accounts = {task: [account] for task, account in self.ledger.accounts.items()}
        seq, id, unreadable = self.ledger.seq, self.ledger.id, self.ledger.unreadable
        done = 0
        for row in store.after(seq):
            seq, id, done = row.seq, row.id, done + 1
            call = captured(row.line)
            if call is None:
                unreadable += 1
                continue
            self._count(call)
            mine = accounts.setdefault(call.task, [])
            mine.append(self._bill(store, call))
            if len(mine) > _BATCH:
                mine[:] = [merged(mine)]
            if done % _TELL_EVERY == 0:
                progress(_STAGE, done, 0)
        summed = {task: merged(parts) for task, parts in accounts.items()}
        tallies = tuple(self._tallies.values())
        self.ledger = _Ledger(
            self.ledger.terms, seq, id, summed, tallies, self._unpriced, unreadable
        )

    def _count(self, call: Captured) -> None:
        time = call.time or 0.0
        one = Tally(call.task, call.tier, call.decision, call.reason, 1, time, time)
        known = self._tallies.get(_key(one))
        if known is not None:
            since, until = min(known.first_time, time), max(known.last_time, time)
            one = msgspec.structs.replace(
                known, count=known.count + 1, first_time=since, last_time=until
            )
        self._tallies[_key(one)] = one

    def _bill(self, store: Follower | PostgresFollower, call: Captured) -> Account:
        call = self._real(call)
        audited = None
        if call.audit_of:
            line = store.line(call.audit_of)
            audited = captured(line) if line is not None else None
        account = bill(call, self._cost, audited)
        if account.unpriced or account.unpriced_audits:
            self._note(call)
        return account

    def _real(self, call: Captured) -> Captured:
        """Return the call with a real model's name where the caller asked for one of our own."""
        name = call.asked
        if name != "auto" and not name.startswith("stepdown/"):
            return call
        real = self._models.get(call.task) or self._models.get("", "")
        return msgspec.structs.replace(call, asked=real)

    def _note(self, call: Captured) -> None:
        model = call.asked or call.model
        if model in self._unpriced or len(self._unpriced) < _MODELS:
            self._unpriced[model] = self._unpriced.get(model, 0) + 1


def _key(tally: Tally) -> tuple[str, str, str, str]:
    return tally.task, tally.tier, tally.decision, tally.reason


def _models(config: Config, tasks: Iterable[Task]) -> dict[str, str]:
    """Return what is asked for by task id ("": no task) where the caller named no real model."""
    frontier = config.tiers.get("frontier")
    named = (frontier.model if frontier else None) or ""
    taught = {
        task.id: named or max(task.models, key=task.models.__getitem__)
        for task in tasks
        if task.models
    }
    return taught | {"": named}


def _cost(config: Config) -> Cost:
    flat = flat_rates(config, ATTODOLLARS)

    def cost(tier: str, model: str, time: float | None, usage: Usage) -> int | None:
        if tier in flat:
            return flat[tier]
        return cost_of(Call("", Request(model, ()), Answer(), model, time, usage=usage))

    return cost
