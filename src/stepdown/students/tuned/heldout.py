"""What a network in training says of held-out rows: the share of records that are right."""

from collections.abc import Sequence

import numpy as np
import torch

from stepdown.students.crf import Crf, viterbi
from stepdown.students.tuned.design import Design, Lesson
from stepdown.students.tuned.network import Batch, Network, tag_scores

__all__ = ["share_right"]

_ROWS = 32


def chains_of(network: Network, design: Design) -> list[Crf]:
    """Return each layer's chain without emissions, to decode with."""
    empty = np.zeros((0, 0), np.float32)
    found: list[Crf] = []
    for number in range(len(design.tags)):
        steps, first = (t.detach().cpu().double().numpy() for t in network.chain(number))
        found.append(Crf((), {}, empty, steps, first))
    return found


def share_right(network: Network, design: Design, lessons: Sequence[Lesson], filler: int) -> float:
    """Return the share of lessons of which every head and layer is right, in [0, 1]."""
    device = next(network.parameters()).device
    network.eval()
    chains = chains_of(network, design)
    # Texts of like length share a batch: little of it is padding.
    order = sorted(lessons, key=lambda lesson: lesson.size)
    right = 0
    with torch.no_grad():
        for first in range(0, len(order), _ROWS):
            batch = Batch(order[first : first + _ROWS], filler, device)
            right += sum(_right(network, design, batch, chains))
    return right / len(lessons)


def _right(network: Network, design: Design, batch: Batch, chains: Sequence[Crf]) -> list[bool]:
    choices, states = network(batch)
    right = [True] * len(batch.lessons)
    for number, block in enumerate(design.choices):
        best = choices[:, block.columns].argmax(dim=1).tolist()
        for at, lesson in enumerate(batch.lessons):
            right[at] &= lesson.classes.get(number, best[at]) == best[at]
    for number, chain in enumerate(chains):
        inside, scores = tag_scores(network, design, states, batch, number)
        decided = scores.double().cpu().numpy()
        for row, at in enumerate(inside):
            labels = batch.lessons[at].tagged[number].labels.tolist()
            right[at] &= viterbi(chain, decided[row, : len(labels)]) == labels
    return right
