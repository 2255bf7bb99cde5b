"""How long, how fast and on what a network is trained."""

import math
import os

import msgspec

__all__ = ["DEVICE", "Settings", "rate_at", "settings_for", "thread_count"]

DEVICE = "STEPDOWN_DEVICE"
"""The environment variable that names the device: cpu, cuda, or cuda:1."""

_SHORTEST, _LONGEST = 4, 30
_ROWS_READ = 70_000
"""Rows to be read over all epochs, where the epochs allow: more data needs fewer passes."""


class Settings(msgspec.Struct, frozen=True):
    """AdamW (Loshchilov and Hutter, ICLR 2019), warmed up, then along half a cosine to zero.

    `rate` is the top layer's learning rate, each layer below it has `decay` times that of the one
    above (Howard and Ruder, ACL 2018, §3.2), and what starts from nothing has `head_rate`. `held`
    is the share of the rows, in whole groups, that is held out: it ends training when it got no
    better for `patience` epochs, and all probabilities are fitted on it. A checkpoint is written
    every `keep_steps` steps. `device` "" is a GPU where there is one.
    """

    epochs: int = 6
    batch: int = 32
    rate: float = 2e-4
    head_rate: float = 2e-3
    decay: float = 0.85
    weight_decay: float = 0.01
    warm_up: float = 0.1
    clip: float = 1.0
    patience: int = 3
    held: float = 0.125
    keep_steps: int = 200
    seed: int = 0
    device: str = ""


def settings_for(rows: int) -> Settings:
    """Return the settings for so many training rows, on the device that the environment names."""
    epochs = min(max(round(_ROWS_READ / max(rows, 1)), _SHORTEST), _LONGEST)
    batch = 32 if rows >= 4_000 else 16
    return Settings(epochs=epochs, batch=batch, device=os.environ.get(DEVICE, ""))


def thread_count() -> int:
    """Return how many threads training may use: OMP_NUM_THREADS, or every core."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) > 0 else os.cpu_count() or 1


def rate_at(step: int, steps: int, warm_up: float) -> float:
    """Return the share of the full learning rate at `step` of `steps`."""
    warm = max(1, round(warm_up * steps))
    if step < warm:
        return (step + 1) / warm
    done = min((step - warm) / max(1, steps - warm), 1.0)
    return 0.5 * (1 + math.cos(math.pi * done))
