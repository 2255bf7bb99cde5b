"""The stand-in engine, built with the machine's C compiler, and stand-ins for its commands.

Without the package, whose worker process runs it, or a compiler there is nothing to test.
"""

import random
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.datasets import Example
from stepdown.core.tasks import Segment, Signature, Task, Verdict

try:
    distribution("cactus-needle")
except PackageNotFoundError:
    pytest.skip("cactus-needle is not installed", allow_module_level=True)
COMPILER = shutil.which("cc") or shutil.which("gcc")
if COMPILER is None:
    pytest.skip("there is no C compiler", allow_module_level=True)

CITIES = ["rome", "oslo", "lima", "cairo", "delhi", "quito"]
TOOLS = (
    '[{"name":"book","description":"Book a trip.","parameters":{"type":"object","properties":'
    '{"city":{"type":"string"}},"required":["city"]}},'
    '{"name":"cancel","description":"","parameters":{"type":"object","properties":'
    '{"city":{"type":"string"}},"required":["city"]}}]'
)
FIELDS = (
    Field("/tool", "choice", values=("book", "cancel"), distinct=2, count=240),
    Field("/book/city", "copy", distinct=6, count=120, aligned=1.0, normaliser="verbatim"),
    Field("/cancel/city", "copy", distinct=6, count=120, aligned=1.0, normaliser="verbatim"),
)
TASK = Task(
    "t", "trips", Signature(), Anatomy("tool", FIELDS, 240, 1, 1), Verdict("distil"),
    tools_json=TOOLS,
)  # fmt: skip


def trips(count, seed=0):
    pick = random.Random(seed)
    rows = []
    for at in range(count):
        name, city = pick.choice(["book", "cancel"]), pick.choice(CITIES)
        # Of the teacher's answers, some are none that the engine would give.
        said = city if pick.random() < 0.8 else "elsewhere"
        record = {"/tool": name, f"/{name}/city": said}
        rows.append(Example(str(at), (Segment("user", f"{name} a trip to {city}"),), record))
    return rows


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    made = tmp_path_factory.mktemp("engine") / "libneedle.so"
    source = Path(__file__).parent / "engine.c"
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-o", str(made), str(source)], check=True)
    return made


@pytest.fixture
def engine(library, monkeypatch):
    monkeypatch.setenv("NEEDLE3_LIB_PATH", str(library))
    return library


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "tuned.cact"
    path.write_bytes(b"CACT weights")
    return path


STAND_IN = """
import json, os, sys
from pathlib import Path
assert os.environ["NEEDLE_TELEMETRY"] == "0" and os.environ["DO_NOT_TRACK"] == "1"
verb, *rest = sys.argv[1:]
out = Path(rest[rest.index("--out") + 1])
with open("commands.txt", "a") as log:
    log.write(" ".join([verb, *rest]) + "\\n")
if verb == "finetune":
    rows = [json.loads(line) for line in open(rest[0], encoding="utf-8")]
    if not rows or not all({"query", "tools", "answers"} <= row.keys() for row in rows):
        sys.exit("the rows are not of the form")
    out.write_bytes(b"adapter")
else:
    assert Path(rest[rest.index("--lora") + 1]).read_bytes() == b"adapter"
    out.write_bytes(b"CACT tuned")
"""


@pytest.fixture
def package(monkeypatch):
    """Commands that take and leave what the package's own do."""
    from stepdown.students.needle import tuning

    def command(*arguments):
        return [sys.executable, "-c", STAND_IN, *arguments]

    monkeypatch.setattr(tuning, "command", command)
