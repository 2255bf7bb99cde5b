"""`stepdown keys`: virtual keys for the gateway's callers, with limits; only hashes are kept."""

import re
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from stepdown.cli.options import FiniteRange, Session, common, print_json
from stepdown.cli.stores import database_url, open_purse
from stepdown.core import display
from stepdown.core.calls import DAY_S
from stepdown.core.keys import (
    NANODOLLARS,
    Allowance,
    NewKey,
    Period,
    VirtualKey,
    shown_key,
    window_of,
)
from stepdown.errors import StepdownError, UsageError
from stepdown.render import next_step, say, show, table
from stepdown.workspace.keys import add_key, read_keys, revoke_key

__all__ = ["keys"]

_PERIODS: tuple[Period, ...] = ("day", "month", "total")
_DAYS = re.compile(r"(\d{1,5})d")


@click.group()
def keys() -> None:
    """Make, list and revoke the keys that callers present to the gateway."""


def _limits(command: Callable[..., None]) -> Callable[..., None]:
    most = click.IntRange(1)
    usd = FiniteRange(0, min_open=True)
    for option in (
        click.option("--rpm", type=most, help="Most requests in any minute."),
        click.option("--tokens-per-minute", type=most, help="Most tokens sent upstream a minute."),
        click.option(
            "--escalations-per-minute",
            type=most,
            help="Most calls a minute that a student leaves, or that go around it.",
        ),
        click.option("--usd-per-day", type=usd, help="Most US dollars a day (UTC)."),
        click.option("--usd-per-month", type=usd, help="Most US dollars a month (UTC)."),
        click.option("--usd-total", type=usd, help="Most US dollars ever."),
    ):
        command = option(command)
    return command


@keys.command()
@click.argument("name")
@_limits
@click.option("--tasks", help="Only calls of these tasks, by name, separated by commas.")
@click.option("--expires", help="Last moment: 30d, 2027-01-31 or 2027-01-31T12:00Z.")
@common
def add(session: Session, name: str, tasks: str | None, expires: str | None, **given: Any) -> None:
    """Make a key called NAME and print it: once, since only its hash is kept."""
    named = tuple(part.strip() for part in (tasks or "").split(",") if part.strip())
    new = NewKey(name, _allowance(given), named, _expiry(expires, time.time()))
    unknown = session.workspace.unknown(named)
    whole, key = add_key(session.workspace.keys, new)
    if session.json:
        told = {"unknown_tasks": unknown} if unknown else {}
        print_json({"key": whole, **shown_key(key, time.time()), **told})
        return
    sys.stdout.write(f"{whole}\n")
    if unknown:
        say(f"No task here is called {' or '.join(unknown)}, yet; `stepdown status` lists them.")
    say(f"This is the only time that the key of {name!r} is shown. {_sentence(key)}")
    command = session.typed("stepdown serve")
    next_step(f"{command}   (a running gateway takes it up within a second)")


@keys.command("list")
@common
def listed(session: Session) -> None:
    """List the keys with their limits and states; no key itself is kept anywhere."""
    now = time.time()
    found = read_keys(session.workspace.keys).keys
    spent = _spending(session, found, now)
    if session.json:
        rows = [{**shown_key(key, now), "spent_usd": spent.get(key.id)} for key in found]
        print_json({"keys": rows})
        return
    columns = ["name", ">id", "state", "a minute", "money", "tasks"]
    show(table("Keys", columns, [_row(key, now, spent.get(key.id)) for key in found]))
    next_step(session.typed("stepdown keys add NAME"))


@keys.command()
@click.argument("name")
@common
def revoke(session: Session, name: str) -> None:
    """Revoke the key of that NAME or id; a running gateway refuses it within five seconds."""
    key = revoke_key(session.workspace.keys, name)
    if session.json:
        print_json(shown_key(key, time.time()))
        return
    say(f"{key.name} ({key.id}) is revoked; a running gateway refuses it within five seconds.")
    next_step(session.typed("stepdown keys list"))


def _allowance(given: dict[str, Any]) -> Allowance:
    money: list[tuple[Period, float]] = []
    for period in _PERIODS:
        usd = given["usd_total" if period == "total" else f"usd_per_{period}"]
        if usd is not None:
            money.append((period, usd))
    if len(money) > 1:
        raise UsageError("A key has one limit of money: a day, a month or in total; give one.")
    may = Allowance(given["rpm"], given["tokens_per_minute"], given["escalations_per_minute"])
    for period, usd in money:
        may = msgspec.structs.replace(may, usd=usd, period=period)
    return may


def _expiry(text: str | None, now: float) -> float | None:
    if text is None:
        return None
    days = _DAYS.fullmatch(text)
    if days:
        return now + int(days[1]) * DAY_S
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as wrong:
        raise UsageError(
            f"--expires {text[:40]!r} is no time; write 30d, 2027-01-31 or 2027-01-31T12:00Z."
        ) from wrong
    moment = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    if moment <= now:
        raise UsageError(f"--expires {text[:40]!r} is past already; give a later time.")
    return moment


def _spending(session: Session, keys: Sequence[VirtualKey], now: float) -> dict[str, float | None]:
    """Return the dollars that count against each limit of money; None where nobody can tell."""
    limited = {
        key.id: window_of(key.allowance.period, now)
        for key in keys
        if key.allowance.usd is not None
    }
    if not limited or (database_url(session) is None and not session.workspace.spending.exists()):
        return dict.fromkeys(limited, 0.0)
    purse = open_purse(session)
    try:
        return {key: purse.spent(key, window) / NANODOLLARS for key, window in limited.items()}
    except StepdownError as problem:
        say(f"What was spent can't be told: {problem}")
        return dict.fromkeys(limited)
    finally:
        purse.close()


def _row(key: VirtualKey, now: float, spent: float | None) -> list[Any]:
    may = key.allowance
    state = key.state(now)
    if state == "active" and key.expires is not None:
        state = f"until {datetime.fromtimestamp(key.expires, UTC):%Y-%m-%d}"
    return [
        key.name,
        key.id,
        state,
        ", ".join(_by_minute(may)) or "any",
        _money(may) if may.usd is None else f"{display.money(spent)} of {_money(may)}",
        ", ".join(key.tasks) or "any",
    ]


def _by_minute(may: Allowance) -> list[str]:
    return [
        f"{most:,} {what}"
        for most, what in (
            (may.requests_per_minute, "requests"),
            (may.tokens_per_minute, "tokens"),
            (may.escalations_per_minute, "escalations"),
        )
        if most is not None
    ]


def _money(may: Allowance) -> str:
    if may.usd is None:
        return "any"
    return display.money(may.usd) + ("" if may.period == "total" else f" a {may.period}")


def _sentence(key: VirtualKey) -> str:
    may = key.allowance
    limits = [f"{most} a minute" for most in _by_minute(may)]
    if may.usd is not None:
        limits.append(_money(may) + (" in total" if may.period == "total" else ""))
    told = [f"at most {', '.join(limits)}"] if limits else []
    if key.tasks:
        told.append(f"for calls of {', '.join(key.tasks)} alone")
    if key.expires is not None:
        told.append(f"until {datetime.fromtimestamp(key.expires, UTC):%Y-%m-%d %H:%M} UTC")
    return f"It is {'; '.join(told)}." if told else "It has no limits."
