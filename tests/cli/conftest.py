"""A workspace on which `stepdown run` has run, once for all tests of the command line."""

import contextlib
import io
import json
import shutil
from pathlib import Path

import pytest
from tests.cli.story import Ran, call, easy, write
from tests.store.conftest import server, url

from stepdown.core.calls import Answer, Call
from stepdown.providers.recorded import serve_recorded
from stepdown.wire.openai import parse_request

__all__ = ["ran", "server", "space", "url"]


@pytest.fixture(scope="session")
def ran(tmp_path_factory):
    """`stepdown run` on 1,200 easy calls, once for all tests; they must not change it."""
    folder = tmp_path_factory.mktemp("ran")
    log = write(folder / "log.jsonl", easy(1200))
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = call("run", log, "--workspace", folder / "space", "--json")
    assert status == 0, out.getvalue()
    return Ran(log, folder / "space", json.loads(out.getvalue()))


@pytest.fixture
def space(ran, tmp_path):
    """A copy of the workspace that a test may change."""
    return Path(shutil.copytree(ran.workspace, tmp_path / "space"))


@pytest.fixture
def upstream():
    """An upstream that knows one message only."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
    with serve_recorded([Call("1", parse_request(body), Answer("hello"), "m")]) as url:
        yield url
