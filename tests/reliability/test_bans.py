"""M-4: nothing that unpickles, evaluates or starts a shell is shipped, and serving uses none."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

BANNED = {
    "S102": "exec(given)",
    "S113": "import requests\nrequests.get(given)",
    "S301": "import pickle\npickle.loads(given)",
    "S302": "import marshal\nmarshal.loads(given)",
    "S306": "import tempfile\ntempfile.mktemp()",
    "S307": "eval(given)",
    "S323": "import ssl\nssl._create_unverified_context()",
    "S324": "import hashlib\nhashlib.md5(given)",
    "S506": "import yaml\nyaml.load(given)",
    "S602": "import subprocess\nsubprocess.run(given, shell=True)",
    "S605": "import os\nos.system(given)",
    "S608": "given.execute(f'SELECT * FROM calls WHERE id = {given}')",
    "S701": "import jinja2\njinja2.Environment(autoescape=False)",
    "TID251 pickle": "from pickle import loads",
    "TID251 joblib": "import joblib",
    "TID251 torch.load": "import torch\ntorch.load(given)",
    "TID251 numpy.load": "import numpy as np\nnp.load(given)",
    "TID251 shelve": "import shelve",
    "TID251 dill": "import dill",
}


@pytest.mark.parametrize("rule", BANNED)
def test_m4_the_linter_refuses_it_in_what_is_shipped(rule):
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent))
    assert ruff is not None
    done = subprocess.run(
        [ruff, "check", "--output-format=json", "--stdin-filename", "src/stepdown/serve/x.py", "-"],
        input=f"{BANNED[rule]}\n",
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert rule.split(" ")[0] in {one["code"] for one in json.loads(done.stdout)}


def test_m4_nothing_shipped_says_that_the_linter_should_look_away():
    looks_away = [
        path.name
        for path in (ROOT / "src").rglob("*.py")
        if re.search(r"noqa: (S\d|TID)|allow_pickle", path.read_text("utf-8"))
    ]
    assert looks_away == []


SERVING = """
import json, sys
from pathlib import Path

used = []
WATCHED = ("pickle.find_class", "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn")
sys.addaudithook(lambda event, given: used.append(event) if event in WATCHED else None)

from stepdown.cli.serve import loader
from stepdown.core.tasks import Segment
from stepdown.serve.server import serving
from stepdown.serve.settings import Settings
from stepdown.store.sqlite import SqliteOutbox
from stepdown.workspace import Workspace
import urllib.request

workspace = Workspace(Path(sys.argv[1]))
outbox = SqliteOutbox(workspace.calls)
with serving(Settings(port=0), loader(workspace), outbox) as url:
    body = json.dumps({"model": "m", "messages": [
        {"role": "system", "content": sys.argv[2]}, {"role": "user", "content": "my card"}]})
    asked = urllib.request.Request(url + "/v1/route", body.encode())
    said = json.loads(urllib.request.urlopen(asked).read())
outbox.close()
loaders = ("torch", "dill", "shelve", "skops")
found = [name for name in loaders if name in sys.modules]
sys.stdout.write(json.dumps([said["student"], used, found]))
"""


@pytest.mark.reliability
def test_m4_a_serving_process_unpickles_nothing(space):
    system = "You sort messages. Answer with one of: account, cards, loans, travel."
    done = subprocess.run(
        [sys.executable, "-c", SERVING, space, system],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    student, used, loaders = json.loads(done.stdout)
    assert student
    assert (used, loaders) == ([], [])
