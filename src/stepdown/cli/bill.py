"""How `stepdown status` shows the savings ledger: a table of money, and what stands behind it."""

from collections.abc import Iterator
from typing import Any

from stepdown.audit.prices import ATTODOLLARS
from stepdown.cli.savings import Savings, TaskSavings
from stepdown.core import display
from stepdown.core.savings import Account, by_audits, off_by
from stepdown.render import Cell, say, show, table

__all__ = ["savings_json", "tell_savings"]

_COLUMNS = [
    "task",
    ">small",
    ">mid",
    ">frontier",
    ">paid",
    ">asked-for",
    ">audits",
    ">made",
    ">saved",
]
_SHOWN = 20
_MODELS = 3


def tell_savings(savings: Savings) -> None:
    """Print the ledger, where there is anything in it."""
    total = savings.total
    account = total.account
    if account == Account():
        return
    rows = [_cells(task) for task in savings.tasks[:_SHOWN]]
    if len(savings.tasks) > 1:
        rows.append(_cells(total))
    show(table("Savings", _COLUMNS, rows, ("made", "audits", "mid")))
    for line in _notes(savings, account):
        say(line)


def savings_json(savings: Savings) -> dict[str, Any]:
    """Return the ledger in US dollars, for `--json`."""
    return {
        "prices_as_of": savings.prices_as_of,
        "total": _plain(savings.total),
        "tasks": [_plain(task) for task in savings.tasks],
        "unpriced_models": savings.unpriced_models,
        "unreadable_lines": savings.unreadable,
    }


def _cells(task: TaskSavings) -> list[Cell]:
    account, made = task.account, task.made
    return [
        task.name,
        account.small,
        account.mid,
        account.frontier,
        *(
            display.money(amount / ATTODOLLARS)
            for amount in (
                account.paid,
                account.instead,
                account.audit,
                made.labelling + made.training,
                task.saving,
            )
        ),
    ]


def _notes(savings: Savings, account: Account) -> Iterator[str]:
    yield (
        f"asked-for: what the models that callers named would have cost at the same tokens, by "
        f"{savings.prices_as_of}; made: labelling and training."
    )
    if account.estimated:
        number = display.plural(account.estimated, "answer")
        yield f"The tokens of {number} are estimated{_off(account)}."
    unpriced = account.unpriced + account.unpriced_audits
    if unpriced:
        yield (
            f"{display.plural(unpriced, 'call')} of unknown cost {_are(unpriced)} in no sum"
            f"{_models(savings)}."
        )
    if account.failed or account.retried:
        yield (
            f"{display.plural(account.failed, 'call')} failed; upstreams were asked again "
            f"{display.plural(account.retried, 'time')}, which providers do not bill."
        )
    if account.beside:
        yield (
            f"{display.money(account.beside / ATTODOLLARS)} of what was paid went for answers that "
            "were not good enough to give."
        )
    if savings.unreadable:
        yield f"{display.plural(savings.unreadable, 'line')} of calls.db can't be read for this."
    if unknown := savings.total.made.unknown:
        yield f"made: {display.plural(unknown, 'cost')} of labelling or training unknown."


def _off(account: Account) -> str:
    share = off_by(account)
    if share is None:
        return ", which no audit has checked"
    way = "above" if share >= 0 else "below"
    told = by_audits(account)
    by_them = display.money(None if told is None else told / ATTODOLLARS)
    return (
        f"; in {display.plural(account.checked, 'audited answer')} the estimate was "
        f"{display.share(abs(share))} {way} the real cost, by which asked-for is {by_them}"
    )


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _models(savings: Savings) -> str:
    """Return the models whose price is not known, or whose calls told no tokens."""
    found = sorted(savings.unpriced_models.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{name or 'no model'} ({display.count(count)})" for name, count in found]
    if not named:
        return ""
    more = ["…"] if len(named) > _MODELS else []
    return f": {', '.join([*named[:_MODELS], *more])}"


def _plain(task: TaskSavings) -> dict[str, Any]:
    account, made = task.account, task.made
    by_them = by_audits(account)
    return {
        "task": task.task,
        "name": task.name,
        "answered": {
            "small": account.small,
            "mid": account.mid,
            "frontier": account.frontier,
        },
        "failed": account.failed,
        "retried": account.retried,
        "audits": account.audits,
        "unpriced": account.unpriced,
        "unpriced_audits": account.unpriced_audits,
        "estimated": account.estimated,
        "estimate_off_by": off_by(account),
        "estimates_checked": account.checked,
        "paid_usd": account.paid / ATTODOLLARS,
        "paid_beside_usd": account.beside / ATTODOLLARS,
        "compared_usd": account.compared / ATTODOLLARS,
        "asked_for_usd": account.instead / ATTODOLLARS,
        "asked_for_by_audits_usd": None if by_them is None else by_them / ATTODOLLARS,
        "audit_usd": account.audit / ATTODOLLARS,
        "labelling_usd": made.labelling / ATTODOLLARS,
        "training_usd": made.training / ATTODOLLARS,
        "made_unknown": made.unknown,
        "saved_usd": task.saving / ATTODOLLARS,
    }
