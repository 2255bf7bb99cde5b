"""How far a record is from the reference: exactly that or not, and for summaries a share."""

from collections.abc import Callable, Mapping
from typing import Any

from stepdown.core.anatomy import Anatomy
from stepdown.core.datasets import Example
from stepdown.core.digests import Limits, summary_loss, summary_of
from stepdown.core.records import same_record
from stepdown.core.tasks import input_text

__all__ = ["CLOSE", "Loss", "exact_loss", "loss_of"]

Loss = Callable[[Mapping[str, Any], Example], float]
"""loss(record, example) → how much is lost, in [0, 1], by saying that record for the example."""

CLOSE = 0.25
"""Where a yes or no is needed of a summary, up to this loss it agrees with the reference."""


def exact_loss(record: Mapping[str, Any], example: Example) -> float:
    """Return 0 where the record is the example's, 1 where it is not, or where there is none."""
    return 0.0 if example.known and same_record(dict(record), example.record) else 1.0


def loss_of(anatomy: Anatomy) -> Loss:
    """Return the loss of a task's records: `summary_loss` for summaries, else `exact_loss`."""
    limits = summary_of(anatomy)
    return exact_loss if limits is None else lambda record, one: _lost(record, one, limits)


def _lost(record: Mapping[str, Any], example: Example, limits: Limits) -> float:
    said, reference = record.get(""), example.record.get("")
    if not (example.known and isinstance(said, str) and isinstance(reference, str)):
        return 1.0
    return summary_loss(said, reference, input_text(example.input), limits)
