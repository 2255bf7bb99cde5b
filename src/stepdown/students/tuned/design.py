"""What the network has to give: a block of logits for each head, a block of tags for each layer."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.core.anatomy import Field
from stepdown.students.linear.rows import Rows, Target
from stepdown.students.spans import SpanModel
from stepdown.students.spans_features import tokenise
from stepdown.students.spans_labels import Placed, label_fields, tags
from stepdown.students.spans_model import SpanLayer
from stepdown.students.tuned.windows import Cut, Cutter

__all__ = ["Block", "Design", "Lesson", "Tagged", "design_of", "lessons_of"]


class Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Columns `first` to `first + width` of an output: one head's classes, or one layer's labels.

    `name` is the head's path, or the scope (a tool's name or "") whose layer number `layer` it is.
    """

    name: str
    first: int
    width: int
    layer: int = 0

    @property
    def columns(self) -> slice:
        """The block's columns."""
        return slice(self.first, self.first + self.width)


class Design(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The network's two outputs: `choices` for each text, `tags` for each word."""

    choices: tuple[Block, ...]
    tags: tuple[Block, ...]

    @property
    def classes(self) -> int:
        """How many columns the choices have."""
        return sum(block.width for block in self.choices)

    @property
    def labels(self) -> int:
        """How many columns the tags have."""
        return sum(block.width for block in self.tags)


class Tagged(msgspec.Struct, frozen=True):
    """What one layer should say of one row: a label for each word, and the words' pieces.

    `pieces` is int [P, 2], (window, position) of each piece, `owners` [P] the word it is of,
    `labels` [words] the layer's label indices.
    """

    pieces: NDArray[np.intp]
    owners: NDArray[np.intp]
    labels: NDArray[np.intp]


class Lesson(msgspec.Struct, frozen=True):
    """One training row: its windows, and the right class and labels by the number of the block.

    `soft` has how likely the teacher found each class, where it told.
    """

    row: int
    cut: Cut
    classes: dict[int, int]
    tagged: dict[int, Tagged]
    soft: dict[int, NDArray[np.float32]] = {}

    def chances(self, number: int, width: int) -> NDArray[np.float32]:
        """Return what a block's probabilities should be, float32 [width]."""
        if number in self.soft:
            return self.soft[number]
        chances = np.zeros(width, np.float32)
        chances[self.classes[number]] = 1.0
        return chances

    @property
    def size(self) -> int:
        """Sub-words to read, a measure of the work."""
        return sum(map(len, self.cut.windows))


def design_of(targets: Mapping[str, Target], spans: Mapping[str, SpanModel]) -> Design:
    """Return the design for the heads with a choice to make and the layers of the span models."""
    choices: list[Block] = []
    first = 0
    for path, target in targets.items():
        if len(target.labels) > 1:
            choices.append(Block(path, first, len(target.labels)))
            first += len(target.labels)
    blocks: list[Block] = []
    first = 0
    for scope, model in spans.items():
        for layer, part in enumerate(model.layers):
            blocks.append(Block(scope, first, len(part.crf.labels), layer))
            first += len(part.crf.labels)
    return Design(tuple(choices), tuple(blocks))


def lessons_of(
    design: Design,
    rows: Rows,
    targets: Mapping[str, Target],
    spans: Mapping[str, SpanModel],
    cutter: Cutter,
) -> list[Lesson]:
    """Return a lesson for every row; rows whose values stand nowhere teach no tags."""
    lessons = [Lesson(row, cutter.cut(text), {}, {}, {}) for row, text in enumerate(rows.texts)]
    for number, block in enumerate(design.choices):
        target = targets[block.name]
        for at, (row, index) in enumerate(
            zip(target.rows.tolist(), target.classes.tolist(), strict=True)
        ):
            lessons[row].classes[number] = index
            if target.soft is not None and target.soft[at].any():
                lessons[row].soft[number] = target.soft[at]
    for scope, model in spans.items():
        _tag_scope(design, rows, scope, model, lessons)
    return lessons


def _tag_scope(
    design: Design, rows: Rows, scope: str, model: SpanModel, lessons: Sequence[Lesson]
) -> None:
    inside = rows.of(scope).tolist()
    fields = [Field(f.path, "copy", many=f.many) for f in model.fields]
    records = [rows.records[row] for row in inside]
    texts = [rows.texts[row] for row in inside]
    labelled = {own.path: own.places for own in label_fields(texts, records, fields)}
    for number, block in enumerate(design.tags):
        if block.name == scope:
            layer = model.layers[block.layer]
            places = [labelled[field.path] for field in layer.fields]
            for at, row in enumerate(inside):
                own = [place[at] for place in places]
                tagged = _tagged(model, layer, rows.texts[row], own, lessons[row].cut)
                if tagged is not None:
                    lessons[row].tagged[number] = tagged


def _tagged(
    model: SpanModel, layer: SpanLayer, text: str, own: Sequence[Placed], cut: Cut
) -> Tagged | None:
    tokens = tokenise(text, model.layout.compound)
    if not tokens or any(place.missed for place in own):
        return None
    names = [label[2:] for label in layer.crf.labels[1::2]]
    column = {label: at for at, label in enumerate(layer.crf.labels)}
    labels, _ = tags(list(zip(names, own, strict=True)), tokens)
    pieces, owners = cut.locate(tokens)
    return Tagged(pieces, owners, np.array([column[label] for label in labels], np.intp))
