"""The HTTP benchmark's parts: the empty app answers, and figures are medians of rounds."""

from stepdown.cli.bench import http
from stepdown.cli.bench.client import Client


def test_the_empty_app_answers_every_post():
    with http._empty_app() as url, Client(url, b'{"a": 1}') as client:
        for _ in range(3):
            took, head = client.post()
            assert took > 0
            assert b" 200 " in head


def test_added_time_is_the_median_over_rounds():
    figures = http._figures([[3.0, 3.0], [1.0, 1.0]], [2.0, 1.0, 5.0])
    assert figures[0].number == 2.0
    assert [figure.number for figure in figures[1:]] == [3.0, 1.0]
