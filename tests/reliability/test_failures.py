"""R-12: every dependency, down, slow and wrong, has an outcome that is told and a test of it."""

import re
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "failures.md"
DEPENDENCIES = (
    "store (`calls.db`, Postgres)",
    "disk",
    "students",
    "small tier",
    "mid tier",
    "frontier",
    "DNS",
    "clock",
)


def cells():
    """Return the table's cells by dependency and fault."""
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")]
    head, _, *rest = ([part.strip() for part in line.strip("|").split(" | ")] for line in rows)
    return {
        (row[0], fault): text for row in rest for fault, text in zip(head[1:], row[1:], strict=True)
    }


def test_r12_no_cell_of_the_table_is_empty(figure):
    found = cells()
    wanted = {(name, fault) for name in DEPENDENCIES for fault in ("down", "slow", "wrong")}
    assert set(found) == wanted
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)\(", sources))
    for place, text in found.items():
        named = re.findall(r"`(test_\w+)`", text)
        assert named, place
        assert set(named) <= there, place
        assert len(re.sub(r"`test_\w+`", "", text)) >= 25, place
    figure(f"{len(found)} cells, 0 empty")


@pytest.mark.parametrize("step", [0.0, -60.0])
def test_r12_a_clock_that_stands_still_or_runs_back(
    start, world, complete, body, monkeypatch, step
):
    now = [1.8e9]

    def wall():
        now[0] += step
        return now[0]

    start(audit_share=0.0)
    monkeypatch.setattr(time, "time", wall)
    replies = [complete(body("hello" if n % 2 else "hm", stream=n % 3 == 0)) for n in range(12)]
    monkeypatch.undo()
    assert {reply.status for reply in replies} == {200}
    lines = world.lines()
    assert len({line["id"] for line in lines}) == 12
    assert all(0 <= line["latency_ms"] < 60_000 for line in lines)
