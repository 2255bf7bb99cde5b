"""Bar charts: in proportion, inside their picture, and honest about what is unknown."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.web.charts import WIDTH, Bar, Part, Stack, bars, stacked_bars
from stepdown.web.svg import text_width

SVG = "{http://www.w3.org/2000/svg}"
PARTS = (Part("choice", "choice"), Part("copy", "copy"), Part("free", "free"))


def rects(chart: str, class_: str) -> list[ElementTree.Element]:
    found = ElementTree.fromstring(chart).iter(f"{SVG}rect")
    return [rect for rect in found if rect.get("class", "").split()[:1] == [class_]]


def test_bars_are_in_proportion_and_unknown_is_a_frame() -> None:
    chart = bars("b", "B", [Bar("a", 10, "$10"), Bar("b", 5, "$5"), Bar("c", None, "unknown")])
    assert [float(rect.get("width", 0)) for rect in rects(chart, "bar")] == [WIDTH, WIDTH / 2]
    assert len(rects(chart, "unknown")) == 1
    assert "c: unknown" in chart


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [Bar("a", 0, "$0")],
        [Bar("a", None, "unknown"), Bar("b", None, "unknown")],
        [Bar("a", -1, "-$1")],
    ],
)
def test_nothing_zero_and_all_unknown_can_be_drawn(rows: list[Bar]) -> None:
    chart = bars("b", "B", rows)
    assert all(0 <= float(rect.get("width", 0)) <= WIDTH for rect in rects(chart, "bar"))
    assert ("Nothing to show." in chart) == (not rows)


@given(
    st.lists(st.tuples(st.text(max_size=200), st.one_of(st.none(), st.floats(0, 1e15))), max_size=8)
)
def test_a_label_never_meets_its_figure(rows: list[tuple[str, float | None]]) -> None:
    shown = "$123,456,789"
    chart = ElementTree.fromstring(
        bars("b", "B", [Bar(name, value, shown) for name, value in rows])
    )
    labels = [text for text in chart.iter(f"{SVG}text") if text.get("class") == "label"]
    assert len(labels) == len(rows)
    assert all(text_width(label.text or "") <= WIDTH - text_width(shown) for label in labels)


@given(
    st.lists(
        st.dictionaries(st.sampled_from([part.key for part in PARTS]), st.floats(0, 1e9)),
        max_size=6,
    )
)
def test_stacked_parts_fill_the_row_and_no_more(rows: list[dict[str, float]]) -> None:
    chart = stacked_bars("s", "S", [Stack(str(n), sizes) for n, sizes in enumerate(rows)], PARTS)
    drawn = [rect for rect in rects(chart, "part") if float(rect.get("height", 0)) == 16]
    ends = [float(rect.get("x", 0)) + float(rect.get("width", 0)) for rect in drawn]
    assert all(end <= WIDTH + 0.02 for end in ends)
    assert len(rects(chart, "unknown")) == sum(sum(sizes.values()) <= 0 for sizes in rows)


def test_parts_are_told_apart_without_colour() -> None:
    chart = stacked_bars("s", "S", [Stack("a", {"choice": 3, "free": 1})], PARTS)
    patterns = [*ElementTree.fromstring(chart).iter(f"{SVG}pattern")]
    assert len({ElementTree.tostring(pattern[0]) for pattern in patterns}) == len(PARTS)
    assert "choice 75.0 %, free 25.0 %" in chart
    assert ">75 %<" in chart
    assert ">copy<" in chart
