"""The report of paid labelling: the estimate before, the table after, both as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import RenderableType

from stepdown.audit.prices import ATTODOLLARS
from stepdown.core import display
from stepdown.core.labels import TOLD, Spend
from stepdown.label.asking import Sitting
from stepdown.label.need import Need
from stepdown.render import table

__all__ = [
    "Estimate",
    "Paid",
    "estimate_json",
    "estimate_lines",
    "in_vain",
    "paid_json",
    "paid_lines",
    "paid_table",
    "together",
    "total_json",
    "total_lines",
]


class Estimate(msgspec.Struct, frozen=True):
    """What asking will take: money in attodollars, time in seconds; None is unknown.

    `had` answers are there already. Of the `items`, the teacher has answered `again` in the log;
    `second` ask the same in our own words, `suspicious` since the input looks like an attack;
    `random` are drawn at random, to certify with: `need` says what that takes.
    """

    had: int
    items: int
    again: int
    input_tokens: int | None
    output_tokens: int | None
    expected: int | None
    at_most: int | None
    seconds: float | None
    second: int = 0
    suspicious: int = 0
    random: int = 0
    need: Need | None = None


class Paid(msgspec.Struct, frozen=True):
    """What a sitting brought; `labels`, `answers` and `spend` are the run's, in all its sittings.

    `held`, `gone` and `fewer` are as in `Plan`; `left` questions of it have no answer. `twice` says
    how many items have an answer to the second question too, and how many of these another one.
    """

    task: str
    teacher: str
    run: str
    labels: int
    sitting: Sitting
    spend: Spend = Spend()
    held: int = 0
    gone: int = 0
    fewer: bool = False
    twice: tuple[int, int] = (0, 0)
    left: int = 0
    answers: int = 0


def _usd(amount: int | None) -> float | None:
    return None if amount is None else amount / ATTODOLLARS


def _money(amount: int | None) -> str:
    return display.money(_usd(amount))


def estimate_lines(task: str, teacher: str, estimate: Estimate) -> Iterator[str]:
    """Yield what asking will take, a line each."""
    had = f"; {display.count(estimate.had)} are there already" if estimate.had else ""
    yield f"{task}: {display.plural(estimate.items, 'question')} to {teacher}{had}."
    if estimate.again:
        again = display.plural(estimate.again, "question")
        yield f"The teacher has answered {again} of them in the log: they are asked again."
    if estimate.second:
        yield (
            f"{display.plural(estimate.second, 'question')} of them ask the same in other words, "
            f"{display.count(estimate.suspicious)} since the input looks like an attack."
        )
    yield _size_line(estimate)
    if estimate.need is not None:
        yield from _need_lines(estimate.need, estimate.random)


def _size_line(estimate: Estimate) -> str:
    """Return the tokens, dollars and time; what the log does not tell is said once."""
    read = display.count(estimate.input_tokens)
    most = f"at most {_money(estimate.at_most)}"
    if estimate.output_tokens is None:
        return f"About {read} tokens to read; the log does not tell how many are written: {most}."
    written = display.count(estimate.output_tokens)
    expected = f"about {_money(estimate.expected)}, {most}"
    time = "" if estimate.seconds is None else f"; about {_time(estimate.seconds)}"
    return f"About {read} tokens to read and {written} to write: {expected}{time}."


def _need_lines(need: Need, drawn: int) -> Iterator[str]:
    """Yield what a certificate takes, and what `drawn` questions asked at random bring of it."""
    yield (
        f"A certificate takes {display.count(need.least)} calibration rows if none is answered "
        f"wrongly, {display.count(need.rows)} with three that are; {display.count(need.have)} are "
        "there."
    )
    gained = need.gained(drawn)
    short = max(0, need.rows - need.have - gained)
    if need.random:
        more = f", {display.count(short)} short of that; ask more with -n." if short else "."
        yield (
            f"{display.plural(drawn, 'question')} drawn at random: about {display.count(gained)} "
            f"such rows{more}"
        )


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def paid_table(paid: Paid) -> RenderableType:
    """Return what a sitting brought and what the run has spent."""
    sitting, spend = paid.sitting, paid.spend
    rows = [(name, count, TOLD[name]) for name, count in sitting.outcomes.most_common()]
    rows += [(name, count, "tries without an answer") for name, count in sitting.failures.items()]
    for name, count, what in (
        ("left", _left(paid), "not answered yet; the same command asks them"),
        ("held", paid.held, "outcome unknown; not asked again"),
        ("gone", paid.gone, "no longer in the log as they were asked"),
        ("possible double payments", spend.unknown, _double(spend)),
        ("useless", spend.useless, "responses that are no answers, perhaps paid for"),
        ("unpriced", spend.unpriced, "answers whose price nobody knows"),
    ):
        if count:
            rows.append((name, count, what))
    return table("", (f"{paid.task}, asked of {paid.teacher}", ">Count", "What it is"), rows)


def _left(paid: Paid) -> int:
    return max(paid.left, paid.sitting.left)


def _answers(paid: Paid) -> int:
    return max(paid.answers, paid.labels)


def _worth(paid: Paid) -> str:
    few = paid.labels < _answers(paid)
    return f", {display.count(paid.labels)} of them labels," if few else ""


def _known(spend: Spend) -> int | None:
    """Return what is known of the spend; where no answer has a price, that is not 0."""
    return None if 0 < spend.answers == spend.unpriced else spend.known


def _double(spend: Spend) -> str:
    return f"sent, and nobody knows what came of it: about {_money(spend.twice)}"


def paid_lines(paid: Paid) -> Iterator[str]:
    """Yield the run's labels and money, and why there are not more, a sentence each."""
    spend, calls = paid.spend, paid.sitting.calls
    most = "" if spend.at_most == spend.known else f", at most {_money(spend.at_most)}"
    yield (
        f"{display.plural(_answers(paid), 'answer')} so far{_worth(paid)} for "
        f"{_money(_known(spend))}{most}, in all sittings of this run."
    )
    both, differ = paid.twice
    if both:
        yield (
            f"{display.plural(both, 'item')} {'was' if both == 1 else 'were'} asked about in other "
            "words too; "
            + (
                f"the answers to {display.count(differ)} of them differ: what is disputed teaches "
                "nothing."
                if differ
                else "no answers differ."
            )
        )
    if paid.sitting.capped:
        yield (
            "The cap is reached: the next question could cost more than is left of it"
            + ("." if calls else "; raise --max-usd, or set a lower max_tokens under [teacher].")
        )
    elif paid.fewer:
        yield "There are no more calls in the log to ask; `stepdown serve` collects new ones."


def in_vain(paid: Paid) -> str:
    """Say why a sitting that asked all it had to was for nothing; "" where it was not."""
    sitting = paid.sitting
    if sitting.stopped or not (sitting.failures or sitting.outcomes):
        return ""
    if not sitting.outcomes:
        return f"No question was answered: {_counted(sitting.failures)}."
    if not paid.labels:
        return f"No answer is of use: {_counted(sitting.outcomes)}; see what the teacher says."
    return ""


def _counted(found: Mapping[Any, int]) -> str:
    return ", ".join(f"{display.count(number)} {why}" for why, number in found.items())


def total_lines(runs: Sequence[Paid]) -> Iterator[str]:
    """Yield the bill of a command that had several runs."""
    if len(runs) > 1:
        spend = together(runs)
        most = "" if spend.at_most == spend.known else f", at most {_money(spend.at_most)}"
        yield f"All {len(runs)} runs of this command: {_money(_known(spend))}{most}."


def together(runs: Sequence[Paid]) -> Spend:
    """Return what runs have spent together."""
    spends = [one.spend for one in runs]
    bounds = [one.at_most for one in spends]
    names = ("known", "answers", "unpriced", "unknown", "useless")
    known, answers, unpriced, unknown, useless = (
        sum(getattr(one, name) for one in spends) for name in names
    )
    most = None if None in bounds else sum(bound or 0 for bound in bounds)
    twice = sum(one.twice for one in spends)
    return Spend(known, answers, unpriced, unknown, useless, most, twice)


def total_json(runs: Sequence[Paid]) -> dict[str, Any]:
    """Return the bill of all runs of a command as JSON."""
    calls = sum(one.sitting.calls for one in runs)
    return {"calls": calls, "spend": _spend_json(together(runs))}


def estimate_json(task: str, teacher: str, estimate: Estimate) -> dict[str, Any]:
    """Return the estimate as JSON, with money in dollars."""
    told: dict[str, Any] = msgspec.structs.asdict(estimate)
    for name in ("expected", "at_most"):
        told[f"{name}_usd"] = _usd(told.pop(name))
    return {"task": task, "teacher": teacher} | told


def paid_json(paid: Paid) -> dict[str, Any]:
    """Return the result as JSON, with money in dollars, and what is known to the attodollar."""
    sitting, spend = paid.sitting, paid.spend
    return {
        "task": paid.task,
        "teacher": paid.teacher,
        "run": paid.run,
        "labels": paid.labels,
        "answers": _answers(paid),
        "calls": sitting.calls,
        "outcomes": dict(sitting.outcomes),
        "failures": dict(sitting.failures),
        "left": _left(paid),
        "held": paid.held,
        "gone": paid.gone,
        "asked_twice": paid.twice[0],
        "disputed": paid.twice[1],
        "stopped": sitting.stopped or in_vain(paid),
        "spend": _spend_json(spend),
    }


def _spend_json(spend: Spend) -> dict[str, Any]:
    known = _known(spend)
    return {
        "usd": _usd(known),
        "attodollars": known,
        "at_most_usd": _usd(spend.at_most),
        "possible_double_payments": spend.unknown,
        "possible_double_payments_usd": _usd(spend.twice),
        "useless": spend.useless,
        "unpriced": spend.unpriced,
    }
