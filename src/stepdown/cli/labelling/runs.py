"""The runs of one `stepdown label --teacher`: questions, repeats, own inputs, other teachers."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from stepdown.audit.prices import ATTODOLLARS
from stepdown.cli import steps
from stepdown.cli.ceilings import refuse_too_tight
from stepdown.cli.labelling.asking import ask_teacher
from stepdown.cli.labelling.questions import Wanted
from stepdown.cli.labelling.repeats import ALONE, REPEATED, TO_WRITE, WRITTEN, Again
from stepdown.cli.labelling.report import Estimate, Paid, estimate_lines, paid_lines, paid_table
from stepdown.cli.options import Session
from stepdown.cli.synthesis import sample_of, synthetic_table, to_write, written
from stepdown.core import display
from stepdown.core.summaries import ceiling_text
from stepdown.core.tasks import Task
from stepdown.render import progress_bar, say, show

__all__ = [
    "REPEATS_HELP",
    "Counts",
    "PlannedRuns",
    "ask_others",
    "ask_repeats",
    "ask_synthetic",
    "halted",
    "of_inputs",
    "planned_runs",
    "say_planned",
]

REPEATS_HELP = f"Ask {REPEATED} items until each has K more answers: does M agree with itself?"


_AT_ONCE = 10
"""How many inputs a question asks to write."""

Counts = Mapping[Any, Mapping[str, int]]
"""What became of the inputs that were written, by their kind."""


class PlannedRuns(msgspec.Struct, frozen=True):
    """The runs of a command: its teacher's, and what is asked beside that."""

    runs: tuple[tuple[str, Again], ...]
    inputs: int = 0

    @property
    def repeats(self) -> int:
        """How often the sample is asked again."""
        return max(again.repeats for _, again in self.runs)

    @property
    def others(self) -> list[str]:
        """The other teachers."""
        return [name for name, again in self.runs if again.beside]

    def joined(self, wanted: Wanted, at: int = 0) -> Wanted:
        """Return what is wanted in the run at that place, under one cap with the others."""
        name, again = self.runs[at]
        others = tuple(run for place, run in enumerate(self.runs) if place != at)
        return msgspec.structs.replace(wanted, teacher=name, again=again, others=others)


def planned_runs(
    teacher: str, repeats: int, also: tuple[str, ...], synthetic: int = 0
) -> PlannedRuns:
    """Return the runs: the main one, the repeats, the inputs to write, then the others."""
    runs = [(teacher, ALONE)]
    runs += [(teacher, Again(repeats=repeats))] if repeats else []
    whats = (TO_WRITE, WRITTEN) if synthetic else ()
    runs += [(teacher, Again(inputs=f"{what} {synthetic}")) for what in whats]
    runs += [(name, Again(beside=teacher)) for name in dict.fromkeys(also) if name != teacher]
    return PlannedRuns(tuple(runs), synthetic)


def ask_repeats(session: Session, task: Task, wanted: Wanted, planned: PlannedRuns) -> list[Paid]:
    """Ask the sample again before anything else: what it rules out need not be paid for.

    Raises:
        Refusal: the teacher disagrees with itself more than the budget allows.
    """
    if not planned.repeats:
        return []
    paid = _ask(session, task, planned.joined(wanted, 1))
    if paid and not halted(paid):
        with progress_bar() as progress:
            found = steps.measure_ceiling(session, task, progress)
        if found is not None:
            say(f"The teacher agrees with itself: {ceiling_text(found)}.")
        refuse_too_tight(session, task, wanted.teacher)
    return paid


def ask_synthetic(
    session: Session, task: Task, wanted: Wanted, planned: PlannedRuns
) -> tuple[dict[str, Paid], Counts]:
    """Have inputs written, ask for labels of those of use, and count what became of each kind."""
    if not planned.inputs or wanted.dry_run:
        return {}, {}
    with progress_bar() as progress:
        sample = sample_of(session, task, progress)
    places = [at for at, (_, again) in enumerate(planned.runs) if again.inputs]
    paid: dict[str, Paid] = {}
    counts: Counts = {}
    picks = to_write(session, task, sample, planned.inputs)
    for at in places:
        name = planned.runs[at][1].inputs
        own = Again(inputs=name, picks=tuple(picks))
        writes = name.startswith(TO_WRITE)
        if picks:
            joined = msgspec.structs.replace(planned.joined(wanted, at), again=own)
            for one in _ask(session, task, joined):
                paid["writing" if writes else "synthetic"] = one
        if halted(paid.values()):
            break
        if writes:
            found, picks = written(session, task, sample, planned.inputs)
            counts = found.counts
            if not session.json:
                show(synthetic_table(counts))
    return paid, counts


def ask_others(
    session: Session, task: Task, wanted: Wanted, planned: PlannedRuns, run: str
) -> list[Paid]:
    """Ask each other teacher what the first was asked in its run."""
    found: list[Paid] = []
    for at in range(len(planned.runs) - len(planned.others), len(planned.runs)):
        own = planned.joined(wanted, at)
        again = msgspec.structs.replace(own.again, run=run)
        found += _ask(session, task, msgspec.structs.replace(own, again=again))
        if halted(found):
            break
    return found


def halted(runs: Iterable[Paid]) -> str:
    """Say what ended one of the runs, other than the cap; "" where nothing did."""
    ended = (one.sitting.stopped for one in runs if not one.sitting.capped)
    return next(filter(None, ended), "")


def _ask(session: Session, task: Task, wanted: Wanted) -> list[Paid]:
    estimate, paid = ask_teacher(session, task, wanted)
    if paid is None:
        for line in estimate_lines(task.name, wanted.teacher, estimate):
            say(line)
        return []
    if not session.json:
        show(paid_table(paid))
    for line in paid_lines(paid):
        say(line)
    return [paid]


def of_inputs(estimate: Estimate, inputs: int, max_usd: float | None) -> Estimate:
    """Return what it takes to have inputs written and answered, a question each costing what one
    of the estimate does."""
    asked, each = inputs + -(-inputs // _AT_ONCE), estimate.items

    def scaled(amount: int | None) -> int | None:
        return None if amount is None or not each else amount * asked // each

    cap = None if max_usd is None else int(Decimal(str(max_usd)) * ATTODOLLARS)
    most, seconds = scaled(estimate.at_most), estimate.seconds
    return Estimate(
        0,
        asked,
        0,
        scaled(estimate.input_tokens),
        scaled(estimate.output_tokens),
        scaled(estimate.expected),
        most if cap is None or most is None else min(cap, most),
        None if seconds is None or not each else seconds * asked / each,
    )


def say_planned(planned: PlannedRuns, estimate: Estimate, counted: bool) -> None:
    """Say what would be asked beside the main questions, and what it would cost."""
    if not planned.repeats:
        each = estimate.expected / estimate.items if estimate.expected and estimate.items else None
        usd = None if each is None else display.money(REPEATED * each / ATTODOLLARS)
        say(
            f"How often the teacher agrees with itself is not asked; --repeats 1 would, with about "
            f"{REPEATED} questions more: {usd or 'an unknown price'}."
        )
    if planned.inputs:
        more = ": about as many questions more" if counted else "; calls of the log, only with -n"
        say(
            f"{display.plural(planned.inputs, 'input')} would be written, ten a question, and "
            f"those of use asked about{more}."
        )
    for name in planned.others:
        say(f"{name} is asked the same {display.plural(estimate.items, 'question')}, at its price.")
