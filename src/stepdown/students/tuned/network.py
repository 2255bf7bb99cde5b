"""The network: a pre-trained encoder, and on top of it one linear map a kind of head.

Choices are read from the direction of the mean state (Reimers and Gurevych, EMNLP 2019, §3), tags
from the mean state of a word's pieces: what the frozen family reads, so both serve alike.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stepdown.students.spans import SpanModel
from stepdown.students.tuned.design import Design, Lesson
from stepdown.students.tuned.sequence_loss import forbidden, sequence_loss
from stepdown.students.tuned.windows import pad

__all__ = ["Batch", "Network", "joint_loss", "tag_scores"]

_DROPOUT = 0.1


class Network(nn.Module):
    """An encoder with heads; `scale` is the length that directions have before the choice map.

    `transitions` and `starts` are each layer's, learnt with the rest and decoded outside; `banned`
    buffers hold what may never follow what.
    """

    def __init__(self, encoder: Any, design: Design, spans: Mapping[str, SpanModel]) -> None:
        super().__init__()
        hidden = int(encoder.config.hidden_size)
        self.encoder = encoder
        self.design = design
        self.scale = hidden**0.5
        self.dropout = nn.Dropout(_DROPOUT)
        # A map to nothing can't be initialised: where there is nothing to tell, it has one column.
        self.choices = nn.Linear(hidden, design.classes or 1)
        self.tags = nn.Linear(hidden, design.labels or 1)
        widths = [block.width for block in design.tags]
        self.transitions = nn.ParameterList([torch.zeros(width, width) for width in widths])
        self.starts = nn.ParameterList([torch.zeros(width) for width in widths])
        for at, block in enumerate(design.tags):
            steps, first = forbidden(spans[block.name].layers[block.layer].crf)
            self.register_buffer(f"banned_steps_{at}", torch.from_numpy(steps), persistent=False)
            self.register_buffer(f"banned_first_{at}", torch.from_numpy(first), persistent=False)

    def forward(self, batch: "Batch") -> tuple[Tensor, Tensor]:
        """Return choices [rows, classes] and states [windows, sub-words, H]."""
        found = self.encoder(input_ids=batch.ids, attention_mask=batch.mask)
        states = self.dropout(found.last_hidden_state)
        summed = (states * batch.mask.unsqueeze(-1).to(states.dtype)).sum(dim=1)
        rows = summed.new_zeros((len(batch.lessons), summed.shape[1]))
        whole = rows.index_add(0, batch.owner, summed).float()
        return self.choices(nn.functional.normalize(whole, dim=1) * self.scale), states

    def chain(self, number: int) -> tuple[Tensor, Tensor]:
        """Return the transitions [L, L] and starts [L] of a layer, bans included."""
        return (
            self.transitions[number] + self.get_buffer(f"banned_steps_{number}"),
            self.starts[number] + self.get_buffer(f"banned_first_{number}"),
        )


class Batch:
    """Some lessons as tensors; `owner` says which lesson each window is of.

    `filler` is the id of the padding sub-word.
    """

    def __init__(self, lessons: Sequence[Lesson], filler: int, device: torch.device) -> None:
        self.lessons = lessons
        windows = [window for lesson in lessons for window in lesson.cut.windows]
        counts = [len(lesson.cut.windows) for lesson in lessons]
        ids, mask = pad(windows, filler)
        self.ids = torch.from_numpy(ids).to(device)
        self.mask = torch.from_numpy(mask).to(device)
        self.owner = torch.from_numpy(np.repeat(np.arange(len(lessons)), counts)).to(device)
        self.first = np.cumsum([0, *counts[:-1]])


def _choice_loss(design: Design, logits: Tensor, batch: Batch) -> Tensor:
    """Return the sum of the cross-entropies of all heads."""
    total = logits.new_zeros(())
    for number, block in enumerate(design.choices):
        inside = [at for at, lesson in enumerate(batch.lessons) if number in lesson.classes]
        if inside:
            right = np.stack([batch.lessons[at].chances(number, block.width) for at in inside])
            target = torch.from_numpy(right).to(logits.device)
            own = logits[inside][:, block.columns]
            total = total + nn.functional.cross_entropy(own, target, reduction="sum")
    return total


def tag_scores(
    network: Network, design: Design, states: Tensor, batch: Batch, number: int
) -> tuple[list[int], Tensor]:
    """Return which lessons have layer `number`, and their words' scores [lessons, words, L]."""
    inside = [at for at, lesson in enumerate(batch.lessons) if number in lesson.tagged]
    width = max((len(batch.lessons[at].tagged[number].labels) for at in inside), default=0)
    window: list[int] = []
    position: list[int] = []
    slots: list[int] = []
    for row, at in enumerate(inside):
        own = batch.lessons[at].tagged[number]
        window += (own.pieces[:, 0] + batch.first[at]).tolist()
        position += own.pieces[:, 1].tolist()
        slots += (own.owners + row * width).tolist()
    slot = torch.tensor(slots, dtype=torch.long, device=states.device)
    empty = states.new_zeros((len(inside) * width, states.shape[-1]), dtype=torch.float32)
    summed = empty.index_add(0, slot, states[window, position].float())
    count = torch.bincount(slot, minlength=len(empty)).clamp(min=1).unsqueeze(1)
    block = design.tags[number]
    scores = network.tags(summed / count)[:, block.columns]
    return inside, scores.reshape(len(inside), width, block.width)


def _tag_loss(network: Network, design: Design, states: Tensor, batch: Batch) -> Tensor:
    total = torch.zeros((), device=states.device)
    for number in range(len(design.tags)):
        inside, scores = tag_scores(network, design, states, batch, number)
        if not inside:
            continue
        labels = np.zeros(scores.shape[:2], np.int64)
        read = np.zeros(scores.shape[:2], bool)
        for row, at in enumerate(inside):
            own = batch.lessons[at].tagged[number].labels
            labels[row, : len(own)], read[row, : len(own)] = own, True
        steps, first = network.chain(number)
        losses = sequence_loss(
            scores,
            torch.from_numpy(labels).to(states.device),
            torch.from_numpy(read).to(states.device),
            steps,
            first,
        )
        total = total + losses.sum()
    return total


def joint_loss(network: Network, design: Design, batch: Batch) -> Tensor:
    """Return the mean over rows of -ln P(the row's record): the heads' losses, added up."""
    choices, states = network(batch)
    total = _choice_loss(design, choices.float(), batch) + _tag_loss(network, design, states, batch)
    return total / len(batch.lessons)
