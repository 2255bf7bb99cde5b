"""Workers tell each other's metrics: one page, valid, each sample with its worker."""

import asyncio
import socket

from prometheus_client.parser import text_string_to_metric_families

from stepdown.core.routes import Decision
from stepdown.serve.metrics import Metrics
from stepdown.serve.siblings import Siblings, merged


def page(requests):
    metrics = Metrics(lambda: {"generation": 3.0})
    for _ in range(requests):
        metrics.began()
        metrics.ended(Decision("answered", "confident", "small"), "t", 200, 0.001)
    return metrics.page()


def values(text, name):
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name == name
    }


def test_pages_become_one_with_a_label_for_each_worker():
    whole = merged({2: page(2), 1: page(1), 3: b""})
    assert values(whole, "stepdown_generation") == {
        (("worker", "1"),): 3.0,
        (("worker", "2"),): 3.0,
    }
    counted = values(whole, "stepdown_requests_total")
    assert sorted(counted.values()) == [1.0, 2.0]
    assert all(dict(labels)["decision"] == "answered" for labels in counted)
    names = [line for line in whole.split(b"\n") if line.startswith(b"# TYPE")]
    assert len(names) == len(set(names))
    assert merged({1: b"a{} 1\n# HELP x y\n# TYPE x gauge\nx{} 2\n"}).endswith(b'x{worker="1"} 2\n')


def test_the_living_are_asked_and_the_dead_left_out(tmp_path):
    told = []

    async def go():
        (tmp_path / "1.sock").touch()  # a killed worker's: its number is taken over
        living = [Siblings(tmp_path, n, lambda n=n: page(n), told.append) for n in (1, 2)]
        for one in living:
            await one.open()
        (tmp_path / "3.sock").touch()
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(str(tmp_path / "4.sock"))
            silent.listen()
            pages = [await one.page() for one in living]
            assert await living[0].pass_on("off student-1") == 1
        assert told == ["off student-1"]
        for one in living:
            await one.close()
        return pages

    for one in asyncio.run(go()):
        assert sorted(values(one, "stepdown_requests_total").values()) == [1.0, 2.0]
    assert not (tmp_path / "1.sock").exists()
