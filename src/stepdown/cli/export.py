"""`stepdown export`: what a workspace holds, of all or of one person, as native log lines."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from stepdown.cli.holdings import (
    BESIDE,
    Holdings,
    datasets_of,
    every_row,
    holdings,
    ids_in,
    made_of,
    owners_of,
    spools,
)
from stepdown.cli.options import Session, common, print_json
from stepdown.cli.sources import all_calls
from stepdown.cli.stores import captured_calls
from stepdown.core.calls import UNANSWERED, Answer, Call, Message, Request, ToolCall
from stepdown.core.datasets import Example
from stepdown.core.display import count
from stepdown.core.people import mark_of
from stepdown.core.ports import Line, Progress
from stepdown.core.records import tool_calls, unflatten, write_json
from stepdown.core.sources import people_of
from stepdown.core.tasks import Task
from stepdown.errors import LogError, Refusal, UsageError
from stepdown.render import next_step, progress_bar, say
from stepdown.store.ledger import read_labels
from stepdown.wire.openai_answers import Stamp, completion_body
from stepdown.wire.openai_bodies import request_body
from stepdown.workspace.files import publish_file

__all__ = ["export"]


@click.command()
@click.option("--user", help="Only calls that name them as user or group.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write."
)
@common
def export(session: Session, user: str | None, output: Path | None) -> None:
    """Write the calls that the workspace holds as native log lines, which `audit` reads."""
    if session.json and output is None:
        raise UsageError("With --json the lines need a file of their own; name it with -o FILE.")
    if not session.workspace.root.is_dir():
        raise Refusal(f"There is no workspace {session.workspace.root}; name it by --workspace.")
    told = {"captured": 0, "spooled": 0, "datasets": 0, "labels": 0, "beside": 0}
    with progress_bar() as progress:
        theirs = holdings(session, mark_of(user), progress) if user else None
        lines = _lines(session, theirs, told, progress)
        if output is None:
            for line in lines:
                sys.stdout.buffer.write(line)
        else:
            publish_file(output, lines)
    if session.json:
        print_json(told | {"file": str(output)})
    if theirs is not None and theirs.problem:
        say(theirs.problem)
    written = ", ".join(f"{name} {count(n)}" for name, n in told.items() if n)
    say(f"Lines written: {written or 'none'}.")
    idle = session.typed("stepdown status")
    next_step(f"stepdown audit {click.format_filename(output)}" if output else idle)


def _lines(
    session: Session, theirs: Holdings | None, told: dict[str, int], progress: Progress
) -> Iterator[bytes]:
    """Yield every line once: what was captured as it is, then what other files hold beyond it."""
    seen: set[str] = set()
    for line in captured_calls(session).lines():
        if theirs is None or theirs.has_line(Line(line, "", 0)):
            seen |= ids_in(Line(line, "", 0))
            told["captured"] += 1
            yield line + b"\n"
    spooled = [str(path.resolve()) for path in spools(session)]
    for call in _spooled(session, spooled, progress):
        if call.id not in seen and (
            theirs is None or call.id in theirs.ids or theirs.mark in people_of(call)
        ):
            seen.add(call.id)
            told["spooled"] += 1
            yield _line(call, "a spooled log")
    for task in session.workspace.tasks():
        yield from _of_task(session, task, theirs, seen, told)


def _of_task(
    session: Session, task: Task, theirs: Holdings | None, seen: set[str], told: dict[str, int]
) -> Iterator[bytes]:
    """Yield what a task's files hold beyond the calls that were `seen`."""
    rows = _rows(session, task)
    for row in rows.values():
        if row.id not in seen and (theirs is None or theirs.has_row(row)):
            told["datasets"] += 1
            yield _line(_of_row(task, row), "a dataset")
    orders = made_of(session, task) if theirs is not None else {}
    for label in read_labels(session.workspace.labels, task.id):
        if theirs is None or theirs.has_label(label, orders.get(label.item, frozenset())):
            told["labels"] += 1
            row = rows.get(label.item)
            asked = _of_row(task, row).request if row else None
            call = Call(label.key, asked or _NOTHING, label.answer, label.teacher, label.time)
            yield _line(msgspec.structs.replace(call, task=task.name), "a paid label")
    for kind in BESIDE:
        for path in sorted(session.workspace.folder(task.id).glob(f"{kind}*.jsonl")):
            for number, line in enumerate(path.read_bytes().splitlines(), 1):
                about = owners_of(line)
                if about and (theirs is None or not theirs.ids.isdisjoint(about)):
                    told["beside"] += 1
                    yield _note(f"{path.stem}-{number}", task, kind, line)


_NOTHING = Request("", ())
"""The request of a label whose call no file here holds."""


def _spooled(session: Session, spooled: list[str], progress: Progress) -> Iterator[Call]:
    try:
        for call in all_calls(session, spooled, progress, unanswered=True) if spooled else ():
            if not call.tier or call.tier == UNANSWERED:
                yield call
    except LogError as problem:
        say(f"Not all could be read: {problem}")


def _rows(session: Session, task: Task) -> dict[str, Example]:
    """Return the rows of the task's datasets by id; of several the newest."""
    found, read = dict[str, Example](), set[Path]()
    for path, dataset in datasets_of(session, task):
        read.add(path)
        found |= {row.id: row for row in every_row(dataset)}
    for path in session.workspace.folder(task.id).glob("dataset-*.jsonl"):
        if path not in read:
            say(f"{path.name} of {task.name} can't be read: what it holds is left out.")
    return found


def _of_row(task: Task, row: Example) -> Call:
    """Return a row as a call: what stood in the task's templates is all that is held of it."""
    roles = {"system": "system", "history": "user", "user": "user"}
    messages = tuple(Message(roles[one.part], one.text) for one in row.input)
    model = max(task.models, key=task.models.__getitem__, default="")
    params = {"user": row.source} if row.source else {}
    answer = _answer(task, row.record) if row.known else Answer("")
    return Call(
        row.id,
        Request(model, messages, params=params),
        answer,
        model,
        row.time,
        task=task.name,
        group=row.group or None,
    )


def _answer(task: Task, record: dict[str, Any]) -> Answer:
    style = task.anatomy.style
    if task.anatomy.shape == "tool":
        calls = tool_calls(record)
        return Answer(None, tuple(ToolCall(name, write_json(v, style)) for name, v in calls))
    value = unflatten(record)
    return Answer(value if isinstance(value, str) else write_json(value, style))


def _note(name: str, task: Task, kind: str, line: bytes) -> bytes:
    """Return a line about a row (a person's word, a student's doubt, a model's answer) as it is."""
    metadata = {"stepdown_task": task.name, "held_in": kind}
    note = {"id": name, "metadata": metadata, kind: msgspec.Raw(line)}
    return msgspec.json.encode(note) + b"\n"


def _line(call: Call, held: str) -> bytes:
    asked, stamp = call.request, Stamp(call.id, 0, call.model)
    user = asked.params.get("user") or call.by.get("user")
    extra = {"user": user} if user else {}
    metadata = {"stepdown_task": call.task, "group": call.group, "held_in": held}
    line: dict[str, Any] = {
        "id": call.id,
        "request": msgspec.Raw(request_body(asked, asked.model, **extra))
        if asked.messages
        else None,
        "response": None
        if call.tier == UNANSWERED
        else msgspec.Raw(completion_body(call.answer, stamp, call.usage)),
        "metadata": {name: value for name, value in metadata.items() if value},
    }
    tier = {"tier": call.tier} if call.tier and call.tier != UNANSWERED else None
    told = {
        "time": call.time,
        "latency_ms": call.latency_ms,
        "cost_usd": call.cost_usd,
        "stepdown": tier,
    }
    return msgspec.json.encode(line | {k: v for k, v in told.items() if v is not None}) + b"\n"
