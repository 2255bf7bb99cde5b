"""S-11 by two fuzzers: schemathesis over the routes' description, atheris in the parsers.

They are in requirements/fuzz.txt (`make fuzz`), and are skipped where that is not installed.
"""

import importlib.util
import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.reliability.described import LOOKS, description
from tests.reliability.fuzzed import SEEDS, TARGETS, mutated

from stepdown.cli.bench.gateway.upstream import model_behind
from stepdown.serve.app import HANDLERS

BESIDE = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
LIMITS = (
    *(
        "--max-examples",
        os.environ.get("STEPDOWN_FUZZ_EXAMPLES", "500"),
        "--max-response-time",
        "2",
        "--seed",
        "20261129",
    ),
    *("--continue-on-failure", "--no-color", "--warnings", "off"),
)
BOUNDS = ("-max_len=4096", "-seed=1", "-timeout=10", "-rss_limit_mb=1024")
CHECKS = "not_a_server_error,response_schema_conformance,content_type_conformance"


def test_every_route_is_described():
    described = {
        (path.replace("{model}", "*"), method.upper())
        for path, methods in description()["paths"].items()
        for method in methods
    }
    ours = {
        (path, method)
        for path, methods in HANDLERS.items()
        for method in methods
        if path != "/v1/*" and method != "HEAD"
    }
    assert described == ours
    assert set(LOOKS) <= set(description()["paths"])


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_s11_schemathesis_finds_no_5xx(start, tmp_path, figure):
    command = shutil.which("schemathesis", path=BESIDE)
    if command is None:
        pytest.skip("schemathesis is not installed: make fuzz")
    (tmp_path / "openapi.json").write_text(json.dumps(description()), "utf-8")
    with model_behind() as upstream:
        url = start(base_url=upstream)
        ran = subprocess.run(
            [command, "run", "openapi.json", "--url", url, "--checks", CHECKS, *LIMITS],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    made = re.search(r"([\d,]+) generated", ran.stdout)
    figure(f"schemathesis: {made[1] if made else '?'} requests, no 5xx, none over 2 s")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"{}", b'data: {"choices": [{}]}\n\ndata: [DONE]\n\n', b"[" * 2_000]
)
def test_s11_the_targets_take_any_bytes(target, data):
    TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_s11_no_change_of_a_value_breaks_a_parser(target):
    """The fuzzer's changes without its search: what it has found once was found within these."""
    draw = random.Random(target)
    for _ in range(1_000):
        data = draw.choice(SEEDS[target])
        for _ in range(draw.randrange(1, 6)):
            data = mutated(data, 4096, draw, lambda data, most: data)
            TARGETS[target](data)


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("target", TARGETS)
def test_s11_atheris_finds_nothing(target, tmp_path, figure):
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: make fuzz")
    usual = 600 if target in ("requests", "streams") else 120
    seconds = int(os.environ.get("STEPDOWN_FUZZ_SECONDS", usual))
    ran = subprocess.run(
        [
            # A process begins with the most memory that the one had which started it: a shell here.
            *("sh", "-c", '"$@"; exit $?', "sh"),
            sys.executable,
            "-m",
            "tests.reliability.fuzzed",
            target,
            str(tmp_path),
            f"-max_total_time={seconds}",
            *BOUNDS,
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    done = re.findall(r"Done (\d+) runs in (\d+) second", ran.stderr)
    assert done, ran.stderr[-2000:]
    figure(f"atheris, {target}: {int(done[-1][0]):,} inputs in {done[-1][1]} s, 0 exceptions")
