"""Text answers that fill in templates: a linear student of the template and its slots, and back."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from stepdown.core.calls import Answer
from stepdown.core.datasets import Example
from stepdown.core.filled import fill, slots_of, take_apart, templates_of
from stepdown.core.fingerprint import canonical_json
from stepdown.core.ports import Prediction, Progress, Rehearsed
from stepdown.core.tasks import Input, Task
from stepdown.core.templates import Template
from stepdown.errors import ArtefactError
from stepdown.students.linear.files import load_linear, save_linear
from stepdown.students.linear.student import LinearStudent
from stepdown.students.static import StaticTable

__all__ = ["FilledStudent", "load_filled", "save_filled", "train_filled"]

_FILE = "templates.json"


class FilledStudent:
    """Fills in the template that `inner` chooses with the slots that it finds.

    `rehearsed` is there after training alone.
    """

    family = "linear"

    def __init__(self, inner: LinearStudent, templates: Sequence[Template]) -> None:
        self.id = ""
        self.inner = inner
        self.templates = tuple(templates)
        self.rehearsed: Mapping[str, Rehearsed] = {
            key: Rehearsed(_written(self.templates, guess.record), guess.confidence)
            for key, guess in inner.rehearsed.items()
        }

    def predict(self, given: Input) -> Prediction:
        """Answer one input; the hot path."""
        found = self.inner.predict(given)
        record = _written(self.templates, found.record)
        fields = {"": found.confidence}
        if found.answer is None or not record:
            why = found.abstained or "A slot of the answer's template would be empty."
            return Prediction(record, None, 0.0, fields, why, found.novelty)
        answer = Answer(text=record[""], finish_reason="stop")
        return Prediction(record, answer, found.confidence, fields, "", found.novelty)


def _written(templates: Sequence[Template], record: Mapping[str, object]) -> dict[str, str]:
    """Return the record of the text that a record of slots stands for, or an empty one."""
    text = fill(templates, record)
    return {"": text} if text else {}


def _task_of_slots(task: Task) -> Task:
    anatomy = slots_of(task.anatomy)
    return msgspec.structs.replace(
        task, anatomy=anatomy, tools_json="[]", output_format_json="null"
    )


def _taken_apart(templates: Sequence[Template], example: Example) -> Example:
    text = example.record.get("")
    record = take_apart(templates, text) if example.known and isinstance(text, str) else None
    # A text of no template is an answer that this student can't give: it learns to abstain there.
    return msgspec.structs.replace(example, record=record or {}, known=record is not None)


def train_filled(
    task: Task, examples: Sequence[Example], static: StaticTable | None, progress: Progress
) -> FilledStudent:
    """Return a student of a task whose anatomy has templates, trained on the examples.

    Raises:
        NotEnoughData: too few examples fill in one of the templates.
    """
    from stepdown.students.linear.training import train_linear

    templates = templates_of(task.anatomy)
    apart = [_taken_apart(templates, example) for example in examples]
    inner = train_linear(_task_of_slots(task), apart, static, progress)
    return FilledStudent(inner, templates)


def save_filled(student: FilledStudent, folder: Path) -> None:
    """Write the student's files into an existing empty folder."""
    save_linear(student.inner, folder)
    written = [list(template.fragments) for template in student.templates]
    (folder / _FILE).write_bytes(canonical_json(written))


def load_filled(folder: Path, task: Task) -> FilledStudent | None:
    """Load what `save_filled` wrote; None where the student's answers fill in no templates.

    Raises:
        ArtefactError: a file is missing, is not what it has to be, or belongs to other templates.
    """
    try:
        written = (folder / _FILE).read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = msgspec.json.decode(written, type=list[tuple[str, ...]])
    except msgspec.MsgspecError as error:
        raise ArtefactError(
            f"The templates of student {folder.name} can't be read ({error}); train it again with "
            "`stepdown train`."
        ) from error
    templates = tuple(map(Template, found))
    if templates != templates_of(task.anatomy):
        raise ArtefactError(
            f"Student {folder.name} fills in other templates than the task's answers have; train it"
            " again with `stepdown train`."
        )
    return FilledStudent(load_linear(folder, _task_of_slots(task)), templates)
