"""What must not move, measured on the model's stand-in, which is quick to start."""

import contextlib
import os
import threading

import pytest

from stepdown.cli.bench.gateway import steady
from stepdown.cli.bench.gateway.ground import Ground
from stepdown.cli.bench.gateway.processes import Running, cores
from stepdown.core.ports import silent
from stepdown.errors import Refusal


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """Put the upstream itself in the gateway's place."""

    @contextlib.contextmanager
    def running(found, upstream):
        yield Running(upstream, os.getpid())

    monkeypatch.setattr(steady, "running", running)
    return Ground(tmp_path, [b"{}"], cores())


def test_memory_is_watched_while_callers_come_and_leave(stand_in):
    held, slope = steady.memory(stand_in, silent, seconds=3)
    assert 10 < held.number < 5_000
    assert held.at_most
    assert slope.target == 1
    assert "one of 20 callers leaves" in held.note


def test_calls_are_relayed_beside_at_a_rate(stand_in):
    with steady.model_behind() as url:
        before = threading.active_count()
        with steady._relayed_beside(url), steady.Client(url, b"{}") as client:
            assert steady._posts(client, 0.2)
        assert threading.active_count() == before


def test_a_hole_holds_no_one_after_it(stand_in):
    with steady.model_behind() as url:
        with steady._hole(url, on=True):
            pass
        with steady.Client(url, b"{}") as client:
            assert client.post()[0] > 0


def test_a_gateway_without_its_students_is_not_ready(tmp_path, monkeypatch):
    monkeypatch.setattr(steady, "_START_LIMIT_S", 0.5)
    with pytest.raises(Refusal, match="did not become ready"):
        steady._start(tmp_path, cores().measured)
