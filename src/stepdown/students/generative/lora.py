"""Supervised fine-tuning with low-rank adapters (Hu et al., LoRA, ICLR 2022), by TRL and PEFT."""

import os
import tempfile
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from stepdown.core.ports import Progress
from stepdown.students.generative.base import Causal
from stepdown.students.tuned.base import device_of

__all__ = ["LoraSettings", "lora_settings", "on_gpu", "tune"]

_READ = 6_000
"""Rows to be read over all epochs, where the epochs allow."""
_MOST_EPOCHS = 3


class LoraSettings(msgspec.Struct, frozen=True):
    """Adapters of rank `rank` on every linear map but the head, scaled by `alpha` / `rank`.

    AdamW at `rate`, warmed up over a twentieth of the steps, then along a cosine. `length` tokens
    of a row are read. A checkpoint is written every `keep_steps` steps where there is a folder.
    """

    epochs: float = 3.0
    batch: int = 8
    rate: float = 5e-4
    rank: int = 16
    alpha: int = 32
    length: int = 2_048
    keep_steps: int = 100
    seed: int = 0


def lora_settings(rows: int) -> LoraSettings:
    """Return the settings for so many rows: few rows are read more often."""
    return LoraSettings(epochs=min(max(_READ / max(rows, 1), 1.0), _MOST_EPOCHS))


def on_gpu() -> bool:
    """Say whether training has a GPU.

    Raises:
        Unavailable: one was asked for (`STEPDOWN_DEVICE`) and is not there.
    """
    return device_of().type == "cuda"


def tune(
    causal: Causal,
    rows: Sequence[tuple[str, str]],
    settings: LoraSettings,
    scratch: Path | None,
    progress: Progress,
) -> Any:
    """Return the model with its adapters merged in; `rows` are prompts and what should follow.

    A run that was cut off goes on from the last checkpoint in `scratch`.
    """
    from datasets import Dataset
    from peft import LoraConfig
    from trl.trainer.sft_trainer import SFTTrainer

    end = causal.tokenizer.eos_token
    data = Dataset.from_list([{"prompt": a, "completion": b + end} for a, b in rows])
    with _folder(scratch) as folder, _quiet():
        trainer = SFTTrainer(
            model=causal.model,
            args=_arguments(settings, folder, keep=scratch is not None),
            train_dataset=data,
            processing_class=causal.tokenizer,
            peft_config=LoraConfig(
                r=settings.rank,
                lora_alpha=settings.alpha,
                target_modules="all-linear",
                task_type="CAUSAL_LM",
            ),
            callbacks=[_told(progress)],
        )
        kept = any(folder.glob("checkpoint-*"))
        trainer.train(resume_from_checkpoint=kept or None)
        merged: Any = trainer.model
        return merged.merge_and_unload().eval().float().cpu()


def _arguments(settings: LoraSettings, folder: Path, *, keep: bool) -> Any:
    from trl.trainer.sft_config import SFTConfig

    return SFTConfig(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch,
        learning_rate=settings.rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        max_length=settings.length,
        seed=settings.seed,
        bf16=on_gpu(),
        use_cpu=not on_gpu(),
        activation_checkpointing=False,
        save_strategy="steps" if keep else "no",
        save_steps=settings.keep_steps,
        save_total_limit=1,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )


def _told(progress: Progress) -> Any:
    from transformers import TrainerCallback

    class Told(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            progress("fine-tuning", state.global_step, state.max_steps)

    return Told()


@contextmanager
def _folder(scratch: Path | None) -> Generator[Path]:
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
        yield scratch
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@contextmanager
def _quiet() -> Generator[None]:
    """Keep the libraries from drawing bars, and from warning of their own inner workings."""
    import datasets

    shown = datasets.utils.logging.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    parallel = os.environ.get("TOKENIZERS_PARALLELISM")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if shown:
            datasets.enable_progress_bars()
        if parallel is None:
            os.environ.pop("TOKENIZERS_PARALLELISM", None)
