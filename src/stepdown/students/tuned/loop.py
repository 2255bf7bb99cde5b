"""The training loop: epochs over shuffled batches of like length, stopped early, resumable."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from stepdown.core.ports import Progress
from stepdown.errors import Unavailable
from stepdown.students.tuned.checkpoint import Keeper, Place
from stepdown.students.tuned.design import Design, Lesson
from stepdown.students.tuned.heldout import share_right
from stepdown.students.tuned.network import Batch, Network, joint_loss
from stepdown.students.tuned.settings import Settings, rate_at

__all__ = ["Loop", "layer_rates", "order_of"]

_POOL = 40
"""Batches whose rows are sorted by length together: little padding, and still a random order."""
_MOST_PIECES = 8_192
"""Sub-words in a batch, which bound the memory of a step."""
_DIVERGED = (
    "The loss of the training is no longer a number; start from another model, or train on the "
    "CPU (STEPDOWN_DEVICE=cpu)."
)


def order_of(sizes: Sequence[int], batch: int, seed: int, epoch: int) -> list[list[int]]:
    """Return the batches of an epoch: indices of lessons, those of like size together.

    A batch holds fewer than `batch` lessons where they are long.
    """
    random = np.random.default_rng([seed, epoch])
    rows: list[int] = random.permutation(len(sizes)).tolist()
    batches: list[list[int]] = []
    for first in range(0, len(rows), batch * _POOL):
        pool = sorted(rows[first : first + batch * _POOL], key=lambda row: (sizes[row], row))
        batches += _filled(pool, sizes, batch)
    return [batches[at] for at in random.permutation(len(batches)).tolist()]


def _filled(rows: Sequence[int], sizes: Sequence[int], batch: int) -> list[list[int]]:
    made: list[list[int]] = [[]]
    pieces = 0
    for row in rows:
        if made[-1] and (len(made[-1]) == batch or pieces + sizes[row] > _MOST_PIECES):
            made.append([])
            pieces = 0
        made[-1].append(row)
        pieces += sizes[row]
    return made


def layer_rates(network: Network, settings: Settings) -> list[dict[str, Any]]:
    """Return the optimiser's groups: every parameter with the learning rate of its depth.

    Biases, norms and the chains do not decay.
    """
    layers = int(getattr(network.encoder.config, "num_hidden_layers", 1))
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        if name.startswith("encoder."):
            depth = next((int(part) + 1 for part in name.split(".") if part.isdecimal()), None)
            if depth is None:
                # Embeddings lie below the first layer, a last norm above the last one.
                depth = 0 if "embed" in name else layers
            rate = settings.rate * settings.decay ** (layers - depth)
        else:
            rate = settings.head_rate
        decays = settings.weight_decay if parameter.ndim > 1 and "transitions" not in name else 0.0
        groups.setdefault((rate, decays), []).append(parameter)
    return [
        {"params": own, "lr": rate, "full": rate, "weight_decay": decays}
        for (rate, decays), own in groups.items()
    ]


class Loop:
    """One training; `run` leaves the network with the weights that did best on held-out rows."""

    def __init__(
        self, network: Network, design: Design, filler: int, settings: Settings, keeper: Keeper
    ) -> None:
        self.network = network
        self.place = Place()
        self._design, self._filler, self._settings = design, filler, settings
        self._keeper = keeper
        self._device = next(network.parameters()).device
        self._optimizer = torch.optim.AdamW(layer_rates(network, settings), fused=True)
        self._best: dict[str, Tensor] = {}

    def run(self, lessons: Sequence[Lesson], held: Sequence[Lesson], progress: Progress) -> None:
        """Train to the end, from the last checkpoint where there is one.

        Raises:
            Unavailable: the loss is no longer a number.
        """
        settings = self._settings
        sizes = [lesson.size for lesson in lessons]
        # Epochs differ by a batch or two, where long texts fall otherwise.
        total = settings.epochs * len(order_of(sizes, settings.batch, settings.seed, 0))
        self._resume()
        while self.place.epoch < settings.epochs and self.place.stale < settings.patience:
            order = order_of(sizes, settings.batch, settings.seed, self.place.epoch)
            for batch in order[self.place.step :]:
                loss = self._step([lessons[at] for at in batch], total)
                self.place = msgspec.structs.replace(
                    self.place, step=self.place.step + 1, steps=self.place.steps + 1
                )
                if not np.isfinite(loss):
                    raise Unavailable(_DIVERGED)
                progress("fine-tuning", min(self.place.steps, total), total)
                if self.place.steps % settings.keep_steps == 0:
                    self._keep()
            self._judge(held)
            self._keep()
        self.network.load_state_dict(self._best or self.network.state_dict(), strict=False)
        self.network.eval()
        progress("fine-tuning", total, total)

    def _step(self, lessons: Sequence[Lesson], total: int) -> float:
        self.network.train()
        share = rate_at(self.place.steps, total, self._settings.warm_up)
        for group in self._optimizer.param_groups:
            group["lr"] = group["full"] * share
        batch = Batch(lessons, self._filler, self._device)
        on_gpu = self._device.type == "cuda"
        with torch.autocast("cuda", torch.bfloat16) if on_gpu else nullcontext():
            loss = joint_loss(self.network, self._design, batch)
        value = float(loss.detach())
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self._settings.clip)
        self._optimizer.step()
        return value

    def _judge(self, held: Sequence[Lesson]) -> None:
        """End an epoch: keep its weights if the held-out rows are the better for it."""
        right = share_right(self.network, self._design, held, self._filler) if held else 0.0
        better = right > self.place.best or not held
        if better:
            state = self.network.state_dict()
            self._best = {name: tensor.detach().clone() for name, tensor in state.items()}
        self.place = Place(
            self.place.epoch + 1,
            0,
            self.place.steps,
            max(right, self.place.best),
            0 if better else self.place.stale + 1,
        )

    def _keep(self) -> None:
        tensors = {f"now.{name}": t for name, t in self.network.state_dict().items()}
        tensors |= {f"best.{name}": t for name, t in self._best.items()}
        for at, parameter in enumerate(self._parameters()):
            for name, value in self._optimizer.state.get(parameter, {}).items():
                tensors[f"moment.{at}.{name}"] = value
        self._keeper.keep(self.place, tensors)

    def _resume(self) -> None:
        found = self._keeper.last()
        if found is None:
            return
        self.place, tensors = found
        self.network.load_state_dict(_below("now.", tensors), strict=False)
        self._best = {n: t.to(self._device) for n, t in _below("best.", tensors).items()}
        for at, parameter in enumerate(self._parameters()):
            own = _below(f"moment.{at}.", tensors)
            if own:
                # The step count stays where the optimiser has made it, the moments by the weights.
                self._optimizer.state[parameter] = {n: t.to(self._device) for n, t in own.items()}

    def _parameters(self) -> list[Tensor]:
        return [p for group in self._optimizer.param_groups for p in group["params"]]


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
