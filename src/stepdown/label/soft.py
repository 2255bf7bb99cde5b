"""Soft labels: what the teacher's log-probabilities say of the labels it did not write."""

from collections.abc import Sequence

__all__ = ["soft_labels"]

_LEAST = 0.01


def soft_labels(
    first_tokens: Sequence[tuple[str, float]], labels: Sequence[str]
) -> dict[str, float]:
    """Return how likely the teacher found each label, adding up to 1; {} where that is not told.

    A token speaks for the one label that begins with it; one with which several labels begin, or
    none, says nothing. Labels under 1 % are left out.
    """
    mass: dict[str, float] = {}
    for token, probability in first_tokens:
        start = token.lstrip()
        meant = [label for label in labels if start and label.startswith(start)]
        if len(meant) == 1:
            mass[meant[0]] = mass.get(meant[0], 0.0) + probability
    total = sum(mass.values())
    kept = {label: part / total for label, part in mass.items() if total and part >= _LEAST * total}
    scale = sum(kept.values())
    return {label: part / scale for label, part in kept.items()}
