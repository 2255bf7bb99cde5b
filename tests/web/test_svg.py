"""SVG pieces: everything is escaped, text fits its place, ticks are round and span their axis."""

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.web import svg

FINITE = st.floats(-1e12, 1e12, allow_nan=False)


@given(st.text(), st.text())
def test_any_text_stays_text(content: str, value: str) -> None:
    made = svg.element("text", content, data_name=value)
    parsed = ElementTree.fromstring(str(made))
    assert parsed.tag == "text"
    assert len(parsed) == 0
    assert set(parsed.attrib) == {"data-name"}


def test_attributes_are_named_and_rounded() -> None:
    made = svg.element("rect", x=1.0, y=2.345678, class_="bar", stroke_width=None)
    assert str(made) == '<rect x="1" y="2.35" class="bar"></rect>'


def test_a_figure_reads_its_title_to_a_screen_reader() -> None:
    made = str(svg.figure("spend", "Spend & more", "a: $1", (10, 20), svg.text(0, 0, "x")))
    assert 'role="img" aria-labelledby="spend-title spend-desc"' in made
    assert '<title id="spend-title">Spend &amp; more</title>' in made


@given(st.text(), st.floats(30, 400))
def test_fitted_text_is_no_wider_than_its_place(content: str, width: float) -> None:
    assert svg.text_width(svg.fitted(content, width)) <= width + 1e-6


def test_text_that_is_cut_keeps_the_whole_as_its_title() -> None:
    long = "a name that never wants to end " * 5
    assert f"<title>{long}</title>" in svg.text(0, 0, long, width=80)
    assert "<title>" not in svg.text(0, 0, "short", width=80)


@given(FINITE, FINITE, st.integers(2, 10))
def test_ticks_are_few_rise_and_span_the_axis(low: float, high: float, most: int) -> None:
    ticks = svg.nice_ticks(low, high, most)
    assert 2 <= len(ticks) <= most + 1
    assert all(one < two for one, two in pairwise(ticks))
    if high - low > 1e-6 * max(abs(low), abs(high), 1):
        slack = (high - low) * 1e-6
        assert ticks[0] <= low + slack and ticks[-1] >= high - slack


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 20.2, [0, 5, 10, 15, 20, 25]),
        (0.909, 1, [0.9, 0.92, 0.94, 0.96, 0.98, 1]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert svg.nice_ticks(low, high) == ticks


@given(st.floats(-1e6, 1e6))
def test_a_scale_never_leaves_its_place(value: float) -> None:
    scale = svg.Scale.over([0.0, 0.5, 1.0], 100.0, 20.0)
    assert 20 <= scale.at(value) <= 100
    assert scale.at(0.25) == 80
