"""The curves are drawn on one and the same footing, and say when the goal is not reached."""

import pytest
from tests.label.test_pool import text

from stepdown.cli.bench import active
from stepdown.cli.bench import students as on
from stepdown.core.calls import Answer


@pytest.fixture
def sets(monkeypatch):
    monkeypatch.setattr(active, "_SEEDS", 1)
    rows = [
        on.Row(f"r{at}", "", f"{'xyz'[at % 3] * 4} {text(at)}", Answer(text=f"l{at % 3}"), "train")
        for at in range(760)
    ]
    task = on.task_of("t", rows)
    return task, on.examples_of(task, rows[:700]), on.examples_of(task, rows[700:])


def test_both_curves_are_measured_on_the_same_sizes(sets):
    found = {figure.name: figure for figure in active.figures(*sets, ends=(600, 700))}
    assert "test accuracy at 300 labels, chosen, %" in found
    assert "test accuracy at 600 labels, chosen, %" in found
    assert "at random" in found["test accuracy at 600 labels, chosen, %"].note
    assert "test accuracy at 700 labels, at random, %" in found
    assert found["test accuracy at 600 labels, chosen, %"].number > 90


@pytest.mark.parametrize(
    ("curve", "labels"),
    [([0.5, 0.8, 1.0], 450.0), ([0.5, 0.6, 0.7], float("inf")), ([0.95, 0.96, 0.97], 300.0)],
)
def test_the_goal_is_reached_between_two_points(curve, labels):
    assert active._reached([300, 400, 500], curve) == labels
