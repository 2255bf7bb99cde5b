"""From a task's examples to a generative student: tune, write the files, rehearse, calibrate."""

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch

from stepdown.core.datasets import Example
from stepdown.core.fingerprint import digest
from stepdown.core.losses import CLOSE, Loss, loss_of
from stepdown.core.ports import Progress, Rehearsed
from stepdown.core.tasks import Task, input_text
from stepdown.errors import NotEnoughData, Unavailable
from stepdown.students.assembly import assembler_of
from stepdown.students.confidence import Confidence
from stepdown.students.confidence_training import fit_confidence, held_out
from stepdown.students.generative.base import Causal, load_causal
from stepdown.students.generative.engines import GGUF, open_engine
from stepdown.students.generative.gguf_file import can_write, write_gguf
from stepdown.students.generative.lora import LoraSettings, lora_settings, on_gpu, tune
from stepdown.students.generative.prompts import prompt_of
from stepdown.students.generative.slots import Form, form_of, instruction, target_of
from stepdown.students.generative.student import MOST_CHARS, GenerativeStudent, words_in
from stepdown.students.linear.plan import LEAST_EXAMPLES
from stepdown.students.novelty.texts import fit_texts
from stepdown.students.tuned.base import memory_checked
from stepdown.students.weights import Weights, find_weights

__all__ = ["train_generative"]

_MOST_HELD = 240
_CPU_ROWS = 3_000
"""Rows that two cores read in minutes; a GPU reads them all."""


def train_generative(
    task: Task,
    examples: Sequence[Example],
    model: str,
    scratch: Path | None,
    progress: Progress,
    settings: LoraSettings | None = None,
) -> GenerativeStudent:
    """Return a student of `task` whose language model was tuned on it.

    Raises:
        NotEnoughData: too few examples whose answers the form can hold.
        Unavailable: weights, memory or an extra are missing.
    """
    assembler = assembler_of(task)
    form = form_of(task, examples)
    usable = [e for e in examples if len(input_text(e.input)) <= MOST_CHARS]
    held, train = held_out(usable, _MOST_HELD)
    lessons = _lessons(form, train)
    weights = find_weights(model, "generative")
    progress("loading", 0, 1)
    causal = load_causal(weights)
    progress("loading", 1, 1)
    prompt = prompt_of(causal.tokenizer, instruction(form))
    rows = [(prompt.text(text), target) for text, target in lessons]
    settings = settings or lora_settings(len(rows))
    own = scratch and scratch / f"generative-{_fingerprint(weights, rows, settings)}"
    with memory_checked(f"fine-tuning {model}"):
        merged = tune(causal, rows, settings, own, progress)
    files = Path(tempfile.mkdtemp(prefix="stepdown-generative-"))
    _write(Causal(merged, causal.tokenizer), weights, files)
    engine = open_engine(files)
    student = GenerativeStudent(engine, form, prompt, Confidence(), assembler, files)
    # What is saved is copied: the model's own files go with the student.
    weakref.finalize(student, shutil.rmtree, files, ignore_errors=True)
    student.novelty = fit_texts(examples)
    _rehearse(student, held, loss_of(task.anatomy), progress)
    if own is not None:
        shutil.rmtree(own, ignore_errors=True)
    return student


def _lessons(form: Form, examples: Sequence[Example]) -> list[tuple[str, str]]:
    """Return the inputs that a language model can learn from, each with the text to be written.

    Raises:
        NotEnoughData: they are too few.
    """
    targets = {e.id: target_of(form, e.record) for e in examples if e.known}
    usable = [(input_text(e.input), target) for e in examples if (target := targets.get(e.id))]
    if len(usable) < LEAST_EXAMPLES:
        raise NotEnoughData(
            f"There are {len(usable)} training examples that a language model can learn from and "
            f"at least {LEAST_EXAMPLES} are needed; collect or label more calls of this task."
        )
    return usable if on_gpu() else usable[:: -(-len(usable) // _CPU_ROWS)]


def _fingerprint(weights: Weights, rows: Sequence[tuple[str, str]], settings: LoraSettings) -> str:
    return digest(msgspec.json.encode((weights.sha256, settings, rows)))[:16]


def _write(causal: Causal, weights: Weights, files: Path) -> None:
    """Write the tuned model: GGUF where it came as GGUF, else safetensors with its tokenizer."""
    if weights.format == "gguf" and can_write(causal.model.config):
        write_gguf(weights.path, causal.model.state_dict(), causal.model.config, files / GGUF)
        return
    causal.model.to(torch.bfloat16).save_pretrained(files)
    causal.tokenizer.save_pretrained(files)


def _rehearse(
    student: GenerativeStudent, held: Sequence[Example], loss: Loss, progress: Progress
) -> None:
    """Let the student answer held-out rows; fit its confidence on what came of it."""
    drafts = {}
    for at, example in enumerate(held, 1):
        drafts[example.id] = student.draft(example.input)
        progress("rehearsing", at, len(held))
    said = [e for e in held if not drafts[e.id].abstained]
    if held and not said:
        reason = drafts[held[0].id].abstained
        raise Unavailable(f"The language model could write no held-out answer. {reason}")
    evidence = {e.id: drafts[e.id].evidence(words_in(input_text(e.input))) for e in said}
    right = [loss(drafts[e.id].record, e) <= CLOSE for e in said]
    student.confidence = fit_confidence([evidence[e.id] for e in said], right, 0)
    student.rehearsed = {
        e.id: Rehearsed(
            drafts[e.id].record, student.confidence(evidence[e.id]) if e.id in evidence else None
        )
        for e in held
    }
