"""A process that opens every hostile file as every kind of student; what came of it is its output.

Each student is published with a sound manifest: the hashes are right, the files are not.
"""

import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import save
from tests.reliability.hostile_files import hostile_files

from stepdown.cli.steps import open_student
from stepdown.core.tasks import Segment
from stepdown.errors import StepdownError
from stepdown.workspace import Workspace
from stepdown.workspace.artefacts import publish_student, verify_student

Files = dict[str, bytes]


class Written(NamedTuple):
    """Saves files as they are."""

    name: str
    files: Files

    def save(self, student: Any, folder: Path) -> None:
        for name, data in self.files.items():
            (folder / name).write_bytes(data)


def tokenizer() -> bytes:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.processors import TemplateProcessing

    made = Tokenizer(WordLevel({"[CLS]": 0, "[SEP]": 1, "a": 2}, unk_token="a"))
    pieces = [("[CLS]", 0), ("[SEP]", 1)]
    made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=pieces)
    return made.to_str().encode()


def kinds(sound: Files) -> list[tuple[str, Files, str]]:
    """Return (family, files that are sound, file that is not) of each way in."""
    encoder = {"look.safetensors": save({"mean": np.zeros(2, np.float32)})}
    found = [("linear", sound, name) for name in sound]
    found += [("linear", sound, name) for name in ("templates.json", "extractive.json")]
    found += [("chain", {}, "chain.json"), ("backed", {}, "backed.json")]
    found += [("needle", {}, "needle.json"), ("generative", {}, "generative.json")]
    try:
        encoder["tokenizer.json"] = tokenizer()
    except ImportError:
        return found
    found += [("encoder", encoder, "encoder.onnx")]
    graph = {"encoder.onnx": b"\x08\x09", "look.safetensors": b""}
    return [*found, ("encoder", graph, "tokenizer.json")]


def outcome(opened: Callable[[], Any]) -> str:
    try:
        student = opened()
    except StepdownError as error:
        return type(error).__name__
    said = student.predict((Segment("user", "about my card"),))
    return f"opened: {type(said).__name__}"


def tell(*line: Any) -> None:
    sys.stdout.write(f"{json.dumps(line)}\n")
    sys.stdout.flush()


def main() -> None:
    """Open them all; one JSON line each, the last is by how many bytes this process grew."""
    workspace, canary = Workspace(Path(sys.argv[1])), sys.argv[2]
    (task,) = workspace.tasks()
    (folder,) = workspace.students(task.id).iterdir()
    manifest = verify_student(folder)
    sound = {one.name: (folder / one.name).read_bytes() for one in manifest.files}
    draft = {"task": task.id, "dataset": "d", "contract": manifest.contract, "made_at": "now"}
    open_student(workspace, task, manifest.id)
    # The libraries of a family are not the hostile file's doing.
    files = hostile_files(canary)
    for family, others, name in kinds(sound):
        made = Written(family, {**others, name: files["one byte"]})
        path, _ = publish_student(workspace.students(task.id), made, None, draft)
        outcome(lambda path=path: open_student(workspace, task, path.name))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for case, data in files.items():
        for family, others, name in kinds(sound):
            made = Written(family, {**others, name: data})
            path, _ = publish_student(workspace.students(task.id), made, None, draft)
            tell(case, family, name, None)
            found = outcome(lambda path=path: open_student(workspace, task, path.name))
            tell(case, family, name, found)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    tell("", "", "", grown * 1024)


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    main()
