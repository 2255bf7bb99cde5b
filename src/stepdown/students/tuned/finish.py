"""From a tuned network to a student: the frozen family's parts around the new encoder.

Heads join the network's logits with an n-gram machine's, span readers join its tags with the
word-level CRF's; how much each counts, and every probability, comes from the held-out rows.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.core.datasets import Example
from stepdown.core.ports import Progress
from stepdown.core.tasks import Task
from stepdown.students.choice import Choice, ChoiceHead, best_of
from stepdown.students.choice_training import Views, fit_mix, fit_views, merge_views
from stepdown.students.crf import Crf
from stepdown.students.encoder.look import WEIGHT, EncoderLook, fitted
from stepdown.students.encoder.spans import Emission, EncoderSpans, rows_right
from stepdown.students.encoder.student import EncoderStudent
from stepdown.students.features import Featurizer, Matrix
from stepdown.students.linear.form import Form
from stepdown.students.linear.plan import Plan
from stepdown.students.linear.rehearsal import HeldOut, settle
from stepdown.students.linear.rows import Rows, Target, featurize
from stepdown.students.linear.training import Learnt, complete
from stepdown.students.spans import SpanModel
from stepdown.students.tuned.design import Block, Design
from stepdown.students.tuned.export import Exported
from stepdown.students.windows.model import WindowModel

__all__ = ["Taught", "finish"]

Chain = tuple[NDArray[np.float64], NDArray[np.float64]]

_SHARES = (0.0, 0.5, 1.0)
"""How much the words' own scores may count beside the network's."""
_JUDGED = 300


class Taught(msgspec.Struct, frozen=True):
    """What there was to learn: `held` (bool [rows]) marks the rows that nothing was trained on.

    `spans` are word-level models by scope; `chains` each layer's transitions and starts, by number
    of the design's tag block.
    """

    plan: Plan
    rows: Rows
    targets: Mapping[str, Target]
    spans: Mapping[str, SpanModel]
    held: NDArray[np.bool_]
    design: Design
    chains: Sequence[Chain] = ()


def finish(
    task: Task,
    examples: Sequence[Example],
    taught: Taught,
    exported: Exported,
    windows: WindowModel | None,
    progress: Progress,
) -> EncoderStudent:
    """Return the student; its family's name is the caller's to set."""
    rows = taught.rows
    looks: list[EncoderLook] = []

    def look(ngrams: Featurizer, inputs: Sequence[object]) -> Featurizer:
        looks.append(fitted(ngrams, exported.session, rows.inputs, progress, centred=False))
        return looks[-1]

    featurizer, matrix = featurize(rows, dict(taught.targets), None, look)
    held = HeldOut({}, {}, {})
    heads: dict[str, ChoiceHead] = {}
    for at, (path, target) in enumerate(taught.targets.items()):
        heads[path] = _head(target, taught, exported, matrix)
        held.choices[path] = _decided(heads[path], matrix, taught.held)
        progress("heads", at + 1, len(taught.targets))
    readers = {
        scope: _reader(taught, exported, scope, model) for scope, model in taught.spans.items()
    }
    _guess(taught, readers, held)
    plan = settle(taught.plan, taught.targets, rows, held)
    copied = {part.path for part in plan.parts if part.method == "span"}
    heads = {path: head for path, head in heads.items() if path not in copied}
    readers = {s: reader for s, reader in readers.items() if plan.of(s, "span", "mixed")}
    held.choices = {path: held.choices[path] for path in heads}
    learnt = Learnt(plan, rows, taught.targets, featurizer, matrix, held, heads, readers)
    inner = complete(task, examples, learnt, windows)
    progress("confidence", 1, 1)
    looks[-1].known.clear()
    return EncoderStudent(inner, looks[-1])


def _head(target: Target, taught: Taught, exported: Exported, matrix: Matrix) -> ChoiceHead:
    block = next((b for b in taught.design.choices if b.name == target.path), None)
    size = matrix.sparse.get_shape()[1]
    if block is None:
        empty = np.zeros((0, 1), np.float32)
        views = Views(empty, empty, np.zeros(1, np.float32), empty, np.zeros(1, np.float32))
        return merge_views(target.labels, views, fit_mix(np.zeros((0, 1)), np.zeros((0, 1)), _NONE))
    kept, classes, weights = target.examples(~taught.held)
    words = msgspec.structs.replace(
        matrix, dense=np.zeros((len(matrix.words), 0), np.float32), origin=None
    )
    machine = fit_views(words.take(kept), classes, block.width, weights, balanced=target.balanced)
    hidden = exported.heads.choices.shape[0]
    views = Views(
        machine.ngrams.reshape(size, block.width),
        np.zeros((hidden, block.width), np.float32),
        machine.bias,
        exported.heads.choices[:, block.columns] / WEIGHT,
        exported.heads.choice_bias[block.columns],
    )
    inside = np.flatnonzero(taught.held[target.rows])
    judged = matrix.take(target.rows[inside])
    return merge_views(target.labels, views, fit_mix(*views.decide(judged), target.classes[inside]))


_NONE = np.zeros(0, np.intp)


def _decided(head: ChoiceHead, matrix: Matrix, held: NDArray[np.bool_]) -> dict[int, Choice]:
    rows = np.flatnonzero(held)
    if len(head.labels) == 1:
        return dict.fromkeys(rows.tolist(), Choice(0, 1.0, 20.0, 0.0))
    judged = matrix.take(rows)
    logits = np.asarray(judged.sparse @ head.ngrams) + judged.dense @ head.dense + head.bias
    return dict(zip(rows.tolist(), map(best_of, logits.astype(np.float64)), strict=True))


def _reader(taught: Taught, exported: Exported, scope: str, model: SpanModel) -> EncoderSpans:
    """Return the reader that gets most of the scope's held-out rows wholly right."""
    blocks = [(n, block) for n, block in enumerate(taught.design.tags) if block.name == scope]
    inside = taught.rows.of(scope)
    judged = inside[taught.held[inside]][:_JUDGED].tolist()
    made = [_mixed(taught, exported, blocks, model, share) for share in _SHARES]
    if not judged:
        return made[1]
    return max(
        made, key=lambda one: rows_right(one, taught.rows.texts, taught.rows.records, judged)
    )


def _mixed(
    taught: Taught,
    exported: Exported,
    blocks: Sequence[tuple[int, Block]],
    model: SpanModel,
    share: float,
) -> EncoderSpans:
    """Return a reader whose word-level scores count `share` times as much as they did."""
    layers = list(model.layers)
    emissions: list[Emission] = []
    for number, block in blocks:
        layer = layers[block.layer]
        steps, starts = taught.chains[number]
        layers[block.layer] = msgspec.structs.replace(
            layer, crf=_joined(layer.crf, steps, starts, share)
        )
        heads = exported.heads
        weights = np.ascontiguousarray(heads.tags[:, block.columns])
        emissions.append(Emission(weights, heads.tag_bias[block.columns].copy()))
    mixed = msgspec.structs.replace(model, layers=tuple(layers))
    return EncoderSpans(mixed, tuple(emissions), exported.session)


def _joined(crf: Crf, steps: NDArray[np.float64], starts: NDArray[np.float64], share: float) -> Crf:
    # The network's bans are the CRF's, so a label that may not stand stays impossible.
    return Crf(
        crf.labels,
        crf.rows if share else {},
        (crf.emissions * np.float32(share))[: len(crf.rows) if share else 0],
        steps + share * crf.transitions,
        starts + share * crf.start,
    )


def _guess(taught: Taught, readers: Mapping[str, EncoderSpans], held: HeldOut) -> None:
    """Let the readers guess the held-out rows, in the scope chosen for each."""
    plan = taught.plan
    form = Form(plan.shape, {path: target.labels for path, target in taught.targets.items()}, {})
    for row in np.flatnonzero(taught.held).tolist():
        choices = {path: by_row[row] for path, by_row in held.choices.items()}
        scope = (form.tool(choices) or "") if plan.shape == "tool" else ""
        reader = readers.get(scope)
        held.guesses[row] = reader.predict(taught.rows.texts[row]) if reader else {}
