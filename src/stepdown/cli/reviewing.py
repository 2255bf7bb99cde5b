"""`stepdown label TASK --review`: a person's word on answers, one row at a time."""

import getpass
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from stepdown import __version__
from stepdown.cli import steps
from stepdown.cli.options import Session, print_json
from stepdown.core import display
from stepdown.core.fingerprint import canonical_json
from stepdown.core.gold import Gold, Question
from stepdown.core.records import unflatten
from stepdown.core.tasks import Task
from stepdown.errors import ArtefactError
from stepdown.label.review import choices, random_questions, read_reply
from stepdown.render import next_step, say
from stepdown.web import review_page
from stepdown.workspace.files import publish_file
from stepdown.workspace.gold import add_gold, read_gold

__all__ = ["doubted", "review"]

_FEW_DOUBTS = 10
_RANDOM = 50
_SHOWN = 2_000
_KEYS = "a accept · n no answer is right · s skip · q quit · or another answer"


class _Doubt(msgspec.Struct):
    """A line of `doubts-<dataset>.jsonl`."""

    id: str
    input: str
    said: dict[str, Any]
    guessed: dict[str, Any]
    confidence: float


def doubted(session: Session, task: Task, gold: dict[str, Gold]) -> list[Question]:
    """Return the newest student's doubts that nobody has judged yet, surest first.

    Raises:
        ArtefactError: a line is not what training writes.
    """
    folder = session.workspace.folder(task.id)
    path = session.workspace.newest(folder, "doubts-*.jsonl")
    lines = path.read_bytes().splitlines() if path else []
    try:
        found = [msgspec.json.decode(line, type=_Doubt) for line in lines]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ArtefactError(
            f"The doubts about {task.name} can't be read ({error}); run `stepdown train "
            f"{task.name}` again."
        ) from error
    return [
        Question(one.id, one.input, one.said, one.guessed, one.confidence)
        for one in found
        if one.id not in gold or gold[one.id].verdict == "skipped"
    ]


def review(session: Session, task: Task, count: int | None, html: Path | None) -> None:
    """Ask about each doubted row, or about `count` rows drawn from those that are held out.

    Every reply is on disk before the next row is shown. With `html` the doubted rows are put on a
    page instead, and nothing is asked.
    """
    path = session.workspace.folder(task.id) / "gold.jsonl"
    gold = read_gold(path)
    found = [] if count else doubted(session, task, gold)
    if html is not None:
        # Without a dataset nothing can be doubted, which "0 doubted rows" would hide.
        steps.current_dataset(session.workspace, task)
        page = review_page(found, task.name, made_at=steps.now(), version=__version__)
        publish_file(html, page.encode())
        if session.json:
            print_json({"task": task.name, "doubted": len(found), "page": str(html)})
        say(f"{display.plural(len(found), 'doubted row')} on {html}.")
        next_step(session.typed(f"stepdown label {task.name} --review"))
        return
    if len(found) < _FEW_DOUBTS:
        dataset = steps.current_dataset(session.workspace, task)
        found += random_questions(dataset, gold, count or _RANDOM)
    told = _ask_each(task, found, path)
    if session.json:
        print_json({"task": task.name, "asked": len(found), **told})
    say(
        f"{task.name}: {told['accepted']:,} accepted, {told['corrected']:,} corrected, "
        f"{told['none']:,} without a right answer, {told['skipped']:,} skipped; "
        f"{display.plural(len(found) - sum(told.values()), 'row')} left of this review."
    )
    taught = any(question.why == "doubt" for question in found)
    next_step(session.typed(f"stepdown {'label' if taught else 'prove'} {task.name}"))


def _ask_each(task: Task, questions: Sequence[Question], path: Path) -> dict[str, int]:
    told = {"accepted": 0, "corrected": 0, "none": 0, "skipped": 0}
    who = getpass.getuser()
    for line in _labels(task):
        say(line, style="dim")
    for number, question in enumerate(questions, 1):
        say(f"\n{number:,} of {len(questions):,} · {_why(question)}", style="bold")
        for line in _shown(question):
            say(line)
        said = _reply(task, question)
        if said is None:
            break
        add_gold(path, msgspec.structs.replace(said, who=who, time=time.time()))
        told[said.verdict] += 1
    return told


def _reply(task: Task, question: Question) -> Gold | None:
    """Return what the person says of the row; None to end the review."""
    say(_KEYS, style="dim")
    while True:
        click.echo("> ", nl=False, err=True)
        typed = sys.stdin.buffer.readline().decode("utf-8", "replace")
        if not typed or typed.strip() == "q":
            return None
        reading = read_reply(task, question, typed)
        if reading.fault:
            say(reading.fault, style="yellow")
        if reading.gold is not None:
            return reading.gold


def _why(question: Question) -> str:
    if question.why == "random":
        return f"drawn at random (probability {display.share(question.probability)})"
    return f"doubted: the students are {display.share(question.confidence)} sure of another answer"


def _shown(question: Question) -> Iterator[str]:
    yield display.shortened(question.input, _SHOWN)
    yield f"  teacher:  {_written(question.said)}"
    if question.guessed:
        yield f"  students: {_written(question.guessed)}"


def _written(record: dict[str, Any]) -> str:
    if not record:
        return "(an answer of another shape)"
    value = unflatten(record)
    text = value if isinstance(value, str) else canonical_json(value).decode()
    return display.shortened(text, _SHOWN)


def _labels(task: Task) -> Iterator[str]:
    """Yield how another answer is typed."""
    _, values = choices(task)
    if values:
        named = [f"{at} {display.shortened(str(value), 40)}" for at, value in enumerate(values, 1)]
        yield "Another answer is a number: " + " · ".join(named)
    if task.anatomy.shape != "text":
        yield "Another answer is typed as JSON, or one field of it as /field = JSON."
    elif not values:
        yield 'Another answer is typed in quotes: "…".'
