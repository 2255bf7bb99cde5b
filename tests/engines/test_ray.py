"""Work on a Ray cluster of two workers: as at home, on loopback alone, and gone when it is over."""

import asyncio
import os
import stat
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.engines import work
from tests.reliability.test_listeners import family, listeners

from stepdown import plugins
from stepdown.engines import ray as module
from stepdown.engines.ray import Ray
from stepdown.errors import NotEnoughData, Unavailable, UpstreamError

CANARY = "canary-4111-sphinx-of-black-quartz"


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    before = dict(os.environ)
    engine = Ray()
    with pytest.raises(Unavailable, match=r"pip install 'stepdown\[ray\]'"):
        list(engine.map(work.doubled, [1]))
    engine.close()
    assert os.environ == before


def test_it_comes_through_the_door_and_starts_nothing():
    engine = plugins.engine("ray", 2)
    assert isinstance(engine, Ray)
    engine.close()


@pytest.fixture(scope="module")
def cluster():
    # Looked for and not imported: Ray reads its settings then.
    if find_spec("ray") is None:
        pytest.skip("the extra `ray` is not installed")
    engine = Ray(2)
    assert engine.workers == 2
    yield engine
    engine.close()


def test_results_come_in_the_order_of_the_items(cluster):
    assert list(cluster.map(work.slow, range(8))) == list(range(8))


def test_no_more_than_so_many_are_under_way(cluster):
    asked = []

    def items():
        for number in range(20):
            asked.append(number)
            yield number

    found = cluster.map(work.doubled, items(), ahead=1)
    assert next(found) == 0
    assert len(asked) == 2
    found.close()


def test_errors_are_those_of_the_work(cluster):
    with pytest.raises(NotEnoughData, match="collect more"):
        list(cluster.map(work.fails, ["own"]))
    with pytest.raises(ValueError, match="odd"):
        list(cluster.map(work.fails, ["odd"]))


def test_a_worker_has_as_many_threads_as_this_process_would(cluster, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert list(cluster.map(work.threads, [0])) == ["3"]
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert list(cluster.map(work.threads, [0])) == [None]


def test_l7_work_of_a_killed_worker_is_done_by_another(cluster, tmp_path, capsys):
    markers = [str(tmp_path / str(number)) for number in range(3)]
    assert list(cluster.map(work.dies_first, markers)) == ["0", "1", "2"]
    time.sleep(1.0)
    assert capsys.readouterr().out == ""


def test_work_that_kills_every_worker_is_given_up(cluster, monkeypatch):
    monkeypatch.setattr(module, "_TRIES_MORE", 1)
    again = cluster._ray.remote(max_retries=1)(module._done)
    monkeypatch.setattr(cluster, "_run", again)
    with pytest.raises(Unavailable, match="--engine local"):
        list(cluster.map(work.dies, [0]))


def test_s21_a_cluster_listens_on_loopback_alone(cluster, figure):
    list(cluster.map(work.doubled, range(8)))
    found = listeners(os.getpid())
    assert found
    assert {address for address, _ in found} <= {"0100007F", "0000000000000000FFFF00000100007F"}
    figure("`--engine ray`: its cluster's ports, on 127.0.0.1")


def test_teachers_are_asked_by_workers_and_a_death_is_an_unknown_outcome(cluster):
    async def ask():
        async with cluster.asking(partial(work.connection, CANARY)) as complete:
            found = await asyncio.gather(*(complete(b"yes") for _ in range(40)))
            with pytest.raises(UpstreamError) as busy:
                await complete(b"busy")
            with pytest.raises(UpstreamError) as dead:
                await complete(b"die")
            return found, busy.value, dead.value, [await complete(b"on") for _ in range(4)]

    found, busy, dead, after = asyncio.run(ask())
    assert found == [f"YES{len(CANARY)}".encode()] * 40
    assert (busy.status, busy.retry_after) == (429, 2.0)
    assert (dead.status, dead.unsent) == (None, False)
    assert after == [f"ON{len(CANARY)}".encode()] * 4


def test_p1_no_text_is_left_in_the_files_of_the_cluster(cluster, tmp_path):
    list(cluster.map(work.echo, [CANARY, CANARY * 100_000]))
    with pytest.raises(ValueError, match="canary"):
        list(cluster.map(work.fails, [CANARY]))
    folder = cluster._folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    read = 0
    for path in folder.rglob("*"):
        if path.is_file():
            read += 1
            assert CANARY.encode() not in path.read_bytes(), path
    assert read > 10


def test_l7_nothing_is_left_of_a_cluster(cluster, figure):
    children = family(os.getpid()) - {os.getpid()}
    folder = cluster._folder
    cluster.close()
    limit = time.monotonic() + 30
    while left := [pid for pid in children if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < limit, left
        time.sleep(0.2)
    assert not folder.exists()
    assert "RAY_AUTH_TOKEN" not in os.environ
    figure("a cluster's processes and files 30 s after its end: none")
