"""The loss of a linear-chain conditional random field in torch, for batches of padded rows.

Lafferty, McCallum and Pereira, 2001. Decoding is `students/crf.py`'s.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stepdown.students.crf import Crf

__all__ = ["forbidden", "sequence_loss"]

FORBIDDEN = -1e4
_LEGAL = -1e3


def forbidden(crf: Crf) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what to add to a layer's transitions [L, L] and starts [L]: 0, or a ban."""
    return (
        np.where(crf.transitions < _LEGAL, FORBIDDEN, 0.0).astype(np.float32),
        np.where(crf.start < _LEGAL, FORBIDDEN, 0.0).astype(np.float32),
    )


def sequence_loss(
    scores: Tensor, labels: Tensor, read: Tensor, transitions: Tensor, start: Tensor
) -> Tensor:
    """Return -ln P(labels) of each row, float [rows].

    `scores` is [rows, tokens, L], `labels` int64 [rows, tokens], `read` bool [rows, tokens], True
    for a row's first tokens (at least one) and False for the filling behind them.
    """
    rows = torch.arange(len(scores), device=scores.device)
    gold = start[labels[:, 0]] + scores[rows, 0, labels[:, 0]]
    alphas = start + scores[:, 0]
    for at in range(1, scores.shape[1]):
        now, before, after = read[:, at], labels[:, at - 1], labels[:, at]
        step = transitions[before, after] + scores[rows, at, after]
        gold = gold + torch.where(now, step, torch.zeros_like(step))
        moved = torch.logsumexp(alphas.unsqueeze(2) + transitions, dim=1) + scores[:, at]
        alphas = torch.where(now.unsqueeze(1), moved, alphas)
    return torch.logsumexp(alphas, dim=1) - gold
