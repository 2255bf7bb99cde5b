"""Checkpoints of a training: everything that the rest of it depends on, in one safetensors file.

One file, written beside and renamed: a run that is killed at any moment finds the last one whole.
"""

import os
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

__all__ = ["Keeper", "Place"]

_PLACE = "place"


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far training is: `step` of the epoch is next; `best` is the best held-out share so far.

    `stale` epochs in a row were no better. `steps` counts the optimiser's.
    """

    epoch: int = 0
    step: int = 0
    steps: int = 0
    best: float = -1.0
    stale: int = 0


class Keeper(msgspec.Struct, frozen=True):
    """Keeps the checkpoint of one training, known by the fingerprint of all that goes into it.

    Without a `folder` nothing is kept.
    """

    folder: Path | None
    fingerprint: str

    @property
    def path(self) -> Path | None:
        """The checkpoint's file."""
        return self.folder and self.folder / f"tuned-{self.fingerprint}.safetensors"

    def keep(self, place: Place, tensors: dict[str, Tensor]) -> None:
        """Write a checkpoint in place of the last one."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        # The generator's state, too, is a tensor: of bytes.
        whole["random"] = torch.get_rng_state()
        if torch.cuda.is_available():
            whole["random_cuda"] = torch.cuda.get_rng_state()
        data = save(whole, metadata={_PLACE: msgspec.json.encode(place).decode()})
        beside = self.path.with_suffix(".part")
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)

    def last(self) -> tuple[Place, dict[str, Tensor]] | None:
        """Return the last checkpoint and set the random generators; None where there is none.

        A file that can't be read is as good as none: training begins anew.
        """
        if self.path is None or not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                place = msgspec.json.decode(file.metadata()[_PLACE], type=Place)
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            random = tensors.pop("random")
        except (SafetensorError, OSError, KeyError, TypeError, msgspec.MsgspecError):
            return None
        torch.set_rng_state(random)
        on_gpu = tensors.pop("random_cuda", None)
        if on_gpu is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state(on_gpu)
        return place, tensors

    def forget(self) -> None:
        """Remove the checkpoint: the training that it was for is over."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
