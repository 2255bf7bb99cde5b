"""The parts: every one gets the same ground, and their figures come in order."""

import contextlib

from stepdown.cli.bench.figures import Figure
from stepdown.cli.bench.gateway import parts
from stepdown.core.ports import silent


def test_parts_share_one_ground(monkeypatch):
    made = []

    @contextlib.contextmanager
    def ground(progress):
        made.append(object())
        yield made[-1]

    def part(name):
        return lambda found, progress: [Figure(name, str(found is made[0]), 1)]

    monkeypatch.setattr(parts, "ground", ground)
    monkeypatch.setattr(parts, "checked", lambda: None)
    monkeypatch.setattr(parts, "forget_calls", lambda found: None)
    *figures, busy = parts._run((part("a"), part("b")), silent)
    assert busy.name.startswith("load average")
    assert [(figure.name, figure.value) for figure in figures] == [("a", "True"), ("b", "True")]
    assert len(made) == 1
