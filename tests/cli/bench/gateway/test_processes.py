"""Processes: bound to a core and set free again, and what they have cost."""

import os
import time

import pytest

from stepdown.cli.bench.gateway import processes
from stepdown.errors import Refusal


def test_a_core_is_taken_and_given_back():
    before = os.sched_getaffinity(0)
    with processes.on_core(processes.cores().measured):
        assert os.sched_getaffinity(0) == {processes.cores().measured}
    assert os.sched_getaffinity(0) == before
    assert processes.cores().load in before


def test_processor_time_and_memory_are_the_processs_own():
    before = processes.cpu_seconds(os.getpid())
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert 0.05 < processes.cpu_seconds(os.getpid()) - before < 5
    assert 10 < processes.rss_mb(os.getpid()) < 10_000


def test_a_gateway_that_does_not_start_is_told(tmp_path):
    with (
        pytest.raises(Refusal, match=r"did not start: .+ not an API address"),
        processes.gateway(tmp_path, "no address", processes.cores().measured),
    ):
        pass


def test_a_gateway_answers_where_it_says(tmp_path):
    with processes.gateway(tmp_path, "http://127.0.0.1:9", processes.cores().measured) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert processes.cpu_seconds(server.pid) > 0
