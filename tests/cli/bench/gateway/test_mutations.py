"""Mutated requests: the same ones each time, whole on the wire, and every bad answer counted."""

import contextlib
import json
import socket

from stepdown.cli.bench.figures import breaks
from stepdown.cli.bench.gateway import mutations
from stepdown.cli.bench.gateway.ground import Ground, relayed_body
from stepdown.cli.bench.gateway.processes import Running, cores
from stepdown.core.ports import silent


def test_the_same_requests_are_made_each_time():
    made = list(mutations.mutants(relayed_body(), 200))
    assert made == list(mutations.mutants(relayed_body(), 200))
    assert len(set(made)) > 150
    for request in made:
        head, _, body = request.partition(b"\r\n\r\n")
        assert b"content-length: %d\r\n" % len(body) in head + b"\r\n"


def valid(request):
    try:
        json.loads(request.partition(b"\r\n\r\n")[2])
    except (ValueError, RecursionError):
        return False
    return True


def test_most_of_them_are_json_and_some_are_not():
    made = [valid(request) for request in mutations.mutants(relayed_body(), 400)]
    assert 100 < sum(made) < 390


def count(monkeypatch, tmp_path, url):
    @contextlib.contextmanager
    def running(found, upstream):
        yield Running(url or upstream, 1)

    monkeypatch.setattr(mutations, "running", running)
    return mutations.mutated(Ground(tmp_path, [relayed_body()], cores()), silent, 20)


def test_answers_that_are_none_break_it(monkeypatch, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    bad, restarts, slowest = count(monkeypatch, tmp_path, url)
    assert (bad.number, restarts.number) == (20, 1)
    assert breaks(bad)
    assert slowest.number < 2
