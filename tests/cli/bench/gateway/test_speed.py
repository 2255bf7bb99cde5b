"""What an answer costs: rates of all rounds, medians over rounds, and what is added to a server."""

import pytest

from stepdown.cli.bench.figures import met
from stepdown.cli.bench.gateway import speed
from stepdown.cli.bench.gateway.load import Load
from stepdown.cli.bench.gateway.processes import Running
from stepdown.cli.bench.gateway.upstream import model_behind
from stepdown.core.ports import silent
from stepdown.errors import Refusal


def test_a_rate_is_that_of_all_rounds():
    figure = speed._rate("rate", [Load(100, 0, 0, 1.0), Load(500, 0, 0, 2.0)], 150)
    assert (figure.number, figure.spread, met(figure)) == (200, "100 to 250", "yes")


def test_a_share_is_that_of_all_rounds():
    ours, theirs = [Load(10, 0, 0, 1.0)] * 2, [Load(100, 0, 0, 1.0), Load(50, 0, 0, 1.0)]
    figure = speed._share("share", ours, theirs, 0.1, "how")
    assert (round(figure.number, 4), figure.spread) == (0.1333, "0.100 to 0.200")
    assert met(figure) == "yes"


def test_a_latency_has_to_be_below_its_target():
    figure = speed._latency("added", 0.4, 0.5, [0.3, 0.6])
    assert (figure.value, figure.spread, met(figure)) == ("0.400 ms", "0.300 to 0.600", "yes")


def test_a_server_adds_nothing_to_itself(monkeypatch):
    monkeypatch.setattr(speed, "_EACH", 20)
    with model_behind() as url:
        added = speed._added(url, url, b"{}", lambda client: client.post()[0])
    assert len(added) == 2 * speed.ROUNDS
    assert min(map(abs, added)) < 5


def test_refused_requests_are_no_measurement(monkeypatch):
    monkeypatch.setattr(speed, "press", lambda *_: Load(100, 1, 0, 1.0))
    with pytest.raises(Refusal, match="1 requests were refused"):
        speed._pressed([Running("http://x", 1)], [b"{}"], silent)


def test_figures_stand_in_nginxs_of_the_same_run_as_well():
    loads = {speed._SURE: 2_500, speed._STREAMS: 600, speed._NGINX: 15_000}
    figures = [speed._rate(name, [Load(rate, 0, 0, 1.0)]) for name, rate in loads.items()]
    sure, streams = speed.beside_nginx(figures)
    assert (sure.value, sure.target, met(sure)) == ("0.167", 0.126, "yes")
    assert (streams.value, streams.target, met(streams)) == ("0.040", 0.047, "no")
    assert "1,500 ÷ 31,700" in streams.note
    slow = [speed._latency(name, 0.6, None, [0.6]) for name in (speed._SURE_P50, speed._NGINX_P50)]
    (ratio,) = speed.beside_nginx(slow)
    assert (ratio.value, met(ratio)) == ("1.000", "")
    assert speed.beside_nginx(figures[:2]) == []
