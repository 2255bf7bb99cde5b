"""What a task's students have cost to make: the same for their proofs and the savings ledger."""

import msgspec

from stepdown.audit.prices import ATTODOLLARS
from stepdown.cli.hosted import asked_in
from stepdown.cli.options import Session
from stepdown.core.costs import cpu_usd
from stepdown.errors import ArtefactError
from stepdown.store.ledger import read_spend
from stepdown.workspace.artefacts import read_manifest

__all__ = ["Made", "labelling_usd", "made_for"]


class Made(msgspec.Struct, frozen=True):
    """What a task's students have cost to make, in attodollars.

    `labelling` is what teachers and hosted models were paid for the rows that they were asked;
    `training` the processor's time. `unknown` counts answers and students whose cost nobody knows.
    """

    labelling: int = 0
    training: int = 0
    unknown: int = 0


def labelling_usd(session: Session, task: str) -> float | None:
    """Return what a task's labels have cost; None where an answer has an unknown price."""
    paid, unknown = _labelling(session, task)
    return None if unknown else paid / ATTODOLLARS


def made_for(session: Session, task: str) -> Made:
    """Return what a task's labels and the training of its students have cost."""
    labelling, unknown = _labelling(session, task)
    hourly = session.config.defaults.cpu_usd_hour
    training = 0
    for folder in session.workspace.students(task).glob("[!.]*"):
        try:
            noted = read_manifest(folder).training
        except ArtefactError:
            unknown += 1
            continue
        # A student that joins others was not trained itself.
        seconds = noted.get("cpu_seconds", noted.get("seconds", 0.0))
        training += round(cpu_usd(seconds, hourly) * ATTODOLLARS)
    return Made(labelling, training, unknown)


def _labelling(session: Session, task: str) -> tuple[int, int]:
    """Return what was paid, in attodollars, and of how many answers nobody knows the price."""
    paid, unknown = asked_in(session, task)
    spent = read_spend(session.workspace.labels, task)
    return paid + spent.known, unknown + spent.unpriced + spent.unknown + spent.useless
