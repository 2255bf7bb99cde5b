"""The load: what wrk says, against the processor time of the process that answered."""

import os
import shutil

import pytest

from stepdown.cli.bench.gateway.load import Load, per_cpu_second, press
from stepdown.cli.bench.gateway.processes import Running
from stepdown.cli.bench.gateway.upstream import model_behind


def test_rates_of_rounds_are_weighed_by_their_time():
    rounds = [Load(100, 0, 0, 1.0), Load(500, 0, 0, 2.0)]
    assert [one.rate for one in rounds] == [100, 250]
    assert per_cpu_second(rounds) == 200


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_every_body_is_sent_and_counted():
    with model_behind() as url:
        load = press(Running(url, os.getpid()), [b"{}", b'{"stream": true}'], 1, 4)
    assert load.requests > 10
    assert (load.refused, load.broken) == (0, 0)
