"""Fine-tuning and building by Needle's own commands, in a process of their own."""

import subprocess
from pathlib import Path

import msgspec

from stepdown.core.ports import Progress
from stepdown.errors import Unavailable
from stepdown.students.needle.package import command, quiet

__all__ = ["NeedleSettings", "build"]

_DATA, _ADAPTER, _ARCHIVE = "train.jsonl", "adapter.safetensors", "needle.cact"


class NeedleSettings(msgspec.Struct, frozen=True):
    """`epochs` over the rows, and how many `layers` the built model has (2 to 20).

    `checkpoint` is the published one to start from; "" lets the package fetch it.
    """

    epochs: int = 10
    layers: int = 20
    checkpoint: str = ""
    seed: int = 0


def build(lines: bytes, settings: NeedleSettings, folder: Path, progress: Progress) -> Path:
    """Return the archive of a model tuned on the lines; an adapter in `folder` is not made twice.

    Raises:
        Unavailable: the extra, the published weights or memory are missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data, adapter, archive = (folder / name for name in (_DATA, _ADAPTER, _ARCHIVE))
    if not (adapter.is_file() and data.is_file() and data.read_bytes() == lines):
        data.write_bytes(lines)
        beside = adapter.with_suffix(".part.safetensors")
        progress("fine-tuning", 0, 1)
        _run(_finetune(data, beside, settings), folder)
        beside.replace(adapter)
    progress("fine-tuning", 1, 1)
    progress("building", 0, 1)
    checkpoint = [settings.checkpoint] if settings.checkpoint else []
    options = ["--lora", str(adapter), "--layers", str(settings.layers), "--out", str(archive)]
    _run(command("build", *checkpoint, *options), folder)
    progress("building", 1, 1)
    if not archive.is_file():
        raise Unavailable("Needle's build wrote no archive; install the version that is pinned.")
    return archive


def _finetune(data: Path, out: Path, settings: NeedleSettings) -> list[str]:
    checkpoint = ["--checkpoint", settings.checkpoint] if settings.checkpoint else []
    options = ["--epochs", str(settings.epochs), "--seed", str(settings.seed), "--val-split", "0"]
    return command("finetune", str(data), *checkpoint, *options, "--out", str(out))


def _run(line: list[str], folder: Path) -> None:
    """Run one of the package's commands in `folder`, where it keeps what it fetches."""
    try:
        done = subprocess.run(
            line, cwd=folder, env=quiet(), capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise Unavailable(f"Needle's own command can't be run ({error}).") from error
    if done.returncode:
        said = [text for text in (done.stderr or done.stdout).strip().split("\n") if text.strip()]
        reason = said[-1].strip()[:200] if said else f"status {done.returncode}"
        raise Unavailable(
            f"Needle's own training failed ({reason}); fetch its weights with `needle download "
            "needle3.safetensors` and `needle download needle3`, and install cactus-needle[train]."
        )
