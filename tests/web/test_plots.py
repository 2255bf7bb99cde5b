"""Plots: points lie where they belong, labels stay inside and apart, little data is no error."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.display import money
from stepdown.web.plots import (
    WIDTH,
    Axis,
    Dot,
    Mark,
    Series,
    line_plot,
    reliability_plot,
    scatter_plot,
)
from stepdown.web.svg import text_width

SVG = "{http://www.w3.org/2000/svg}"
AXES = (Axis("Coverage", 0.0, 1.0), Axis("Risk", 0.0, 0.1))


def texts(plot: str, class_: str) -> list[ElementTree.Element]:
    found = ElementTree.fromstring(plot).iter(f"{SVG}text")
    return [text for text in found if text.get("class") == class_]


def test_a_line_plot_names_all_that_it_draws() -> None:
    plot = line_plot(
        "curve",
        "Curve",
        AXES,
        [Series("joint", [(0.0, 0.0), (1.0, 0.1)]), Series("selective", [(0.5, 0.05)])],
        (0.02, "Error budget 2 %"),
        Mark(0.5, 0.01, "Threshold 0.8"),
    )
    for words in ("joint", "selective", "Error budget 2 %", "Threshold 0.8", "Coverage", "Risk"):
        assert f">{words}</text>" in plot
    assert 'class="line line0"' in plot and 'class="limit"' in plot and 'class="mark"' in plot


def test_a_line_goes_from_corner_to_corner() -> None:
    plot = line_plot("c", "C", AXES, [Series("a", [(0.0, 0.0), (1.0, 0.1)])])
    path = re.search(r'd="M([\d.]+),([\d.]+) L([\d.]+),([\d.]+)"', plot)
    assert path is not None
    left, bottom, right, top = map(float, path.groups())
    assert left < right and top < bottom


@pytest.mark.parametrize("points", [[], [(0.3, 0.02)], [(0.3, 0.02)] * 2, [(0.3, 9.0)]])
def test_little_data_is_drawn(points: list[tuple[float, float]]) -> None:
    assert "</svg>" in line_plot("c", "C", AXES, [Series("a", points)])


@pytest.mark.parametrize("high", [0.0, 0.0031, 1.0, 7.77, 12_345_678.0])
def test_tick_labels_stay_inside_and_apart(high: float) -> None:
    plot = scatter_plot("s", "S", (Axis("USD", 0.0, high, money), Axis("Agreement", 0.9, 1.0)), [])
    spans = []
    for tick in texts(plot, "tick"):
        wide, x = text_width(tick.text or "", 11.5), float(tick.get("x", 0))
        start = {"end": x - wide, "middle": x - wide / 2}[tick.get("text-anchor", "")]
        assert start >= -1 and start + wide <= WIDTH + 1
        spans.append((float(tick.get("y", 0)), start, start + wide))
    below = sorted(span for span in spans if span[0] == max(y for y, _, _ in spans))
    assert all(one[2] <= two[1] for one, two in pairwise(below))


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0.8, 1)), max_size=8))
def test_labels_beside_dots_never_cover_each_other(places: list[tuple[float, float]]) -> None:
    dots = [Dot(f"model-{n}", x, y, f"model-{n}: said") for n, (x, y) in enumerate(places)]
    plot = scatter_plot("s", "S", (Axis("USD", 0.0, 30.0, money), Axis("Quality", 0.8, 1.0)), dots)
    boxes = [
        (float(label.get("x", 0)), float(label.get("y", 0)), text_width(label.text or ""))
        for label in texts(plot, "label halo")
        if label.text != "No point is known."
    ]
    for place, (x, y, wide) in enumerate(boxes):
        assert x >= 0 and x + wide <= WIDTH
        for other_x, other_y, other_wide in boxes[place + 1 :]:
            apart = x + wide <= other_x + 0.02 or other_x + other_wide <= x + 0.02
            assert apart or abs(y - other_y) > 12
    assert all(f">{dot.said}</text>" in plot for dot in dots)


def test_a_scatter_without_points_says_so() -> None:
    assert "No point is known." in scatter_plot("s", "S", AXES, [])


def test_reliability_leaves_empty_bins_out() -> None:
    plot = reliability_plot("r", "R", [(0.1, 0.0, 0), (0.55, 0.5, 4), (0.95, 0.9, 400)])
    assert plot.count("rows</title>") == 2
    assert "confidence 55.0 %: agreement 50.0 %" in plot


def test_reliability_without_rows() -> None:
    assert "No rows." in reliability_plot("r", "R", [])
