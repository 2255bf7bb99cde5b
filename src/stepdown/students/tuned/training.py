"""Fine-tuning from end to end: find the weights, hold rows out, train, export, finish."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from stepdown.core.datasets import Example
from stepdown.core.fingerprint import digest
from stepdown.core.ports import Progress
from stepdown.core.tasks import Task
from stepdown.errors import NotEnoughData
from stepdown.students.encoder.student import EncoderStudent
from stepdown.students.linear.plan import Plan, plan_of, single_calls
from stepdown.students.linear.rehearsal import train_scope
from stepdown.students.linear.rows import Rows, gather, targets_of
from stepdown.students.spans import SpanModel
from stepdown.students.tuned.base import Base, device_of, load_base, memory_checked
from stepdown.students.tuned.checkpoint import Keeper
from stepdown.students.tuned.design import design_of, lessons_of
from stepdown.students.tuned.export import export
from stepdown.students.tuned.finish import Chain, Taught, finish
from stepdown.students.tuned.loop import Loop
from stepdown.students.tuned.network import Network
from stepdown.students.tuned.settings import Settings, settings_for, thread_count
from stepdown.students.tuned.windows import Cutter
from stepdown.students.weights import Weights, find_weights
from stepdown.students.windows.training import fit_windows

__all__ = ["held_out", "train_tuned"]


def held_out(rows: Rows, settings: Settings) -> NDArray[np.bool_]:
    """Mark the share of rows to hold out, whole groups at a time, spread over all of them."""
    wanted = settings.held * len(rows.texts)
    held = np.zeros(len(rows.texts), bool)
    groups: dict[int, list[int]] = {}
    for row, group in enumerate(rows.groups.tolist()):
        groups.setdefault(group, []).append(row)
    # A group's number is a hash: in its order the groups are as good as shuffled.
    for group in sorted(groups):
        if held.sum() >= wanted:
            break
        held[groups[group]] = True
    return held


def train_tuned(
    task: Task,
    examples: Sequence[Example],
    model: str,
    scratch: Path | None,
    progress: Progress,
    settings: Settings | None = None,
) -> EncoderStudent:
    """Return a student of `task` whose encoder was trained on it.

    Raises:
        NotEnoughData: too few examples, or answers that no head can write or that never differ.
        Unavailable: weights, memory or the device are missing, or the loss diverged.
    """
    weights = find_weights(model, "encoder")
    examples = single_calls(examples)
    condensed = fit_windows(task.anatomy.fields, examples, progress)
    seen = condensed.examples if condensed is not None else examples
    settings = settings or settings_for(len(seen))
    base = load_base(weights)
    keeper = Keeper(scratch, _fingerprint(task, seen, weights, settings))
    with threadpool_limits(1):
        taught = _lessons(task, seen, settings, progress)
    with memory_checked(f"fine-tuning {model}"):
        network, taught = _tuned(taught, base, settings, keeper, progress)
    texts = [taught.rows.texts[row] for row in np.flatnonzero(taught.held).tolist()]
    progress("export", 0, 1)
    exported = export(network, base.tokenizer, texts, model)
    progress("export", 1, 1)
    with threadpool_limits(1):
        made = finish(
            task, seen, taught, exported, condensed.model if condensed else None, progress
        )
    keeper.forget()
    return made


def _fingerprint(
    task: Task, examples: Sequence[Example], weights: Weights, settings: Settings
) -> str:
    parts = (task.id, weights.sha256, str(torch.__version__), settings, tuple(examples))
    return digest(msgspec.json.encode(parts))[:16]


def _lessons(
    task: Task, examples: Sequence[Example], settings: Settings, progress: Progress
) -> Taught:
    plan = plan_of(task.anatomy, examples)
    rows = gather(plan, examples)
    targets = targets_of(plan, rows)
    held = held_out(rows, settings)
    spans = _spans(plan, rows, ~held, progress)
    design = design_of(targets, spans)
    if not design.choices and not design.tags:
        raise NotEnoughData(
            "The answers never differ, so there is nothing to fine-tune; the linear family "
            "answers such a task."
        )
    return Taught(plan, rows, targets, spans, held, design)


def _spans(
    plan: Plan, rows: Rows, keep: NDArray[np.bool_], progress: Progress
) -> Mapping[str, SpanModel]:
    scopes = [scope for scope in plan.scopes if plan.of(scope, "span", "either", "mixed")]
    found = {scope: train_scope(plan, scope, rows, keep, progress) for scope in scopes}
    return {scope: model for scope, model in found.items() if model is not None}


def _tuned(
    taught: Taught, base: Base, settings: Settings, keeper: Keeper, progress: Progress
) -> tuple[Network, Taught]:
    lessons = lessons_of(
        taught.design, taught.rows, taught.targets, taught.spans, Cutter(base.tokenizer)
    )
    able = [lesson for lesson in lessons if lesson.classes or lesson.tagged]
    train = [lesson for lesson in able if not taught.held[lesson.row]]
    judged = [lesson for lesson in able if taught.held[lesson.row]]
    device = device_of(settings.device)
    threads = torch.get_num_threads()
    torch.set_num_threads(thread_count())
    try:
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            network = Network(base.encoder, taught.design, taught.spans).to(device)
            loop = Loop(network, taught.design, base.filler, settings, keeper)
            loop.run(train, judged, progress)
    finally:
        torch.set_num_threads(threads)
    chains = [_chain(network, number) for number in range(len(taught.design.tags))]
    return network, msgspec.structs.replace(taught, chains=chains)


def _chain(network: Network, number: int) -> Chain:
    steps, starts = (t.detach().cpu().double().numpy() for t in network.chain(number))
    return steps, starts
