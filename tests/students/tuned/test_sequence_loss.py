"""The CRF's loss against every labelling added up one by one."""

import itertools

import numpy as np
import pytest
import torch

from stepdown.students.crf import Crf
from stepdown.students.tuned.sequence_loss import FORBIDDEN, forbidden, sequence_loss


@pytest.mark.parametrize("length", [1, 2, 4])
def test_it_is_the_log_of_the_paths_share(length):
    torch.manual_seed(length)
    scores, steps, start = torch.randn(1, 4, 3), torch.randn(3, 3), torch.randn(3)
    labels = torch.tensor([[2, 0, 1, 2]])

    def total(path):
        first = start[path[0]] + scores[0, 0, path[0]]
        pairs = enumerate(itertools.pairwise(path), 1)
        return first + sum(steps[a, b] + scores[0, at, b] for at, (a, b) in pairs)

    every = torch.stack([total(path) for path in itertools.product(range(3), repeat=length)])
    right = total(labels[0, :length].tolist())
    read = torch.tensor([[at < length for at in range(4)]])
    loss = sequence_loss(scores, labels, read, steps, start)
    assert loss.tolist() == pytest.approx([float(every.logsumexp(0) - right)], abs=1e-4)


def test_padding_says_nothing():
    torch.manual_seed(0)
    scores, steps, start = torch.randn(2, 5, 3), torch.randn(3, 3), torch.randn(3)
    labels = torch.tensor([[1, 2, 0, 0, 0], [0, 1, 2, 2, 0]])
    read = torch.tensor([[True] * 2 + [False] * 3, [True] * 5])
    both = sequence_loss(scores, labels, read, steps, start)
    alone = sequence_loss(scores[:1, :2], labels[:1, :2], read[:1, :2], steps, start)
    assert both[:1].tolist() == pytest.approx(alone.tolist(), abs=1e-5)


def test_what_the_chain_forbids_is_banned():
    steps = np.array([[0.0, 0.0, -1e4], [0.0, 0.0, 0.5], [0.0, 0.0, 0.5]])
    crf = Crf(("O", "B-0", "I-0"), {}, np.zeros((0, 3), np.float32), steps, np.array([0, 0, -1e4]))
    banned, first = forbidden(crf)
    assert banned[0, 2] == first[2] == FORBIDDEN
    assert banned.sum() == first.sum() == FORBIDDEN
