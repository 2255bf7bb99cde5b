"""Bar charts as inline SVG: one bar a row, and bars stacked of parts.

Each row has its label and its figure on a line above the bar, so that neither is ever cut by the
other, whatever the width. What is unknown is drawn as an empty dashed frame and written as such.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from markupsafe import Markup

from stepdown.core.display import UNKNOWN, share
from stepdown.web.svg import FONT, element, figure, text, text_width

__all__ = ["Bar", "Part", "Stack", "bars", "stacked_bars"]

WIDTH = 400.0
_ROW, _BAR, _GAP = 42.0, 16.0, 12.0


class Bar(msgspec.Struct, frozen=True):
    """One row: a label, a value (None is unknown) and the value as it is to be written."""

    label: str
    value: float | None
    shown: str


class Stack(msgspec.Struct, frozen=True):
    """One row of a stacked chart: a label and the size of each part, by the part's key."""

    label: str
    sizes: Mapping[str, float]
    shown: str = ""


class Part(msgspec.Struct, frozen=True):
    """A kind of part: its key (also its CSS class), its name in the legend."""

    key: str
    name: str


def bars(name: str, title: str, rows: Sequence[Bar]) -> Markup:
    """Return a bar chart; bars are in proportion to the largest known value."""
    largest = max((row.value for row in rows if row.value is not None), default=0.0)
    drawn: list[Markup] = []
    for place, row in enumerate(rows):
        top = place * _ROW
        drawn += _label(top, row.label, row.shown)
        if row.value is None:
            drawn.append(_frame(top))
            continue
        part = max(row.value, 0.0) / largest if largest > 0 else 0.0
        drawn.append(_rect(top, 0.0, max(part * WIDTH, 1.5), "bar"))
    return figure(name, title, _said(rows), (WIDTH, max(len(rows), 1) * _ROW), _or_nothing(drawn))


def _said(rows: Sequence[Bar]) -> str:
    return "; ".join(f"{row.label}: {row.shown}" for row in rows) or "Nothing to show."


def _or_nothing(drawn: Sequence[Markup]) -> Markup:
    return Markup("").join(drawn) or text(0, 20, "Nothing to show.", class_="muted")


def _label(top: float, label: str, shown: str) -> Iterator[Markup]:
    taken = text_width(shown)
    yield text(0, top + FONT + 2, label, width=WIDTH - taken - _GAP, class_="label")
    yield text(WIDTH, top + FONT + 2, shown, anchor="end", class_="figure")


def _rect(top: float, start: float, width: float, class_: str) -> Markup:
    return element("rect", x=start, y=top + FONT + 8, width=width, height=_BAR, rx=2, class_=class_)


def _frame(top: float) -> Markup:
    return element(
        "rect", x=0.5, y=top + FONT + 8, width=WIDTH - 1, height=_BAR, rx=2, class_="unknown"
    )


def stacked_bars(name: str, title: str, rows: Sequence[Stack], parts: Sequence[Part]) -> Markup:
    """Return bars of full width, each cut into its parts' shares, under a legend.

    A part is told by its pattern and its order as well as by its colour, and names its share
    where there is room. A row whose sizes are all zero is unknown.
    """
    legend, depth = _legend(name, parts)
    drawn = [_patterns(name, parts), *legend]
    for place, row in enumerate(rows):
        top = depth + place * _ROW
        drawn += _label(top, row.label, row.shown)
        drawn += _cut(name, top, row, parts)
    said = "; ".join(f"{row.label}: {_shares(row, parts)}" for row in rows) or "Nothing to show."
    height = depth + len(rows) * _ROW
    return figure(name, title, said, (WIDTH, height), Markup("").join(drawn))


def _shares(row: Stack, parts: Sequence[Part]) -> str:
    whole = sum(row.sizes.values())
    if whole <= 0:
        return UNKNOWN
    return ", ".join(
        f"{part.name} {share(row.sizes[part.key] / whole)}"
        for part in parts
        if row.sizes.get(part.key)
    )


def _cut(name: str, top: float, row: Stack, parts: Sequence[Part]) -> Iterator[Markup]:
    whole = sum(row.sizes.values())
    if whole <= 0:
        yield _frame(top)
        return
    start = 0.0
    for part in parts:
        size = row.sizes.get(part.key, 0.0) / whole
        if size <= 0:
            continue
        yield element(
            "g",
            element("title", f"{part.name}: {share(size)}"),
            _rect(top, start, size * WIDTH, f"part {part.key}"),
            _pattern_over(name, top, start, size * WIDTH, part),
            *_named(top, start, size, part),
        )
        start += size * WIDTH


def _pattern_over(name: str, top: float, start: float, width: float, part: Part) -> Markup:
    return element(
        "rect",
        x=start,
        y=top + FONT + 8,
        width=width,
        height=_BAR,
        rx=2,
        fill=f"url(#{name}-{part.key})",
    )


def _named(top: float, start: float, size: float, part: Part) -> Iterator[Markup]:
    written = f"{size:.0%}".replace("%", " %")
    if size < 0.995 and text_width(written) + 10 <= size * WIDTH:
        middle = start + size * WIDTH / 2
        yield text(middle, top + FONT + 20.5, written, anchor="middle", class_="inside")


def _legend(name: str, parts: Sequence[Part]) -> tuple[list[Markup], float]:
    drawn: list[Markup] = []
    x, y = 0.0, 0.0
    for part in parts:
        wide = 22 + text_width(part.name) + 14
        if x + wide > WIDTH and x > 0:
            x, y = 0.0, y + 22
        box = {"x": x, "y": y, "width": 16.0, "height": 14.0, "rx": 2.0}
        drawn.append(element("rect", **box, class_=f"part {part.key}"))
        drawn.append(element("rect", **box, fill=f"url(#{name}-{part.key})"))
        drawn.append(text(x + 22, y + 11.5, part.name, class_="label"))
        x += wide
    return drawn, y + 30


_STROKES = {
    1: "M-2,2 L2,-2 M0,8 L8,0 M6,10 L10,6",
    2: "M4,0 V8",
    3: "M0,4 H8 M4,0 V8",
    4: "M0,0 L8,8 M0,8 L8,0",
}


def _patterns(name: str, parts: Sequence[Part]) -> Markup:
    made = [
        element(
            "pattern",
            element("path", d=_STROKES.get(order % 5, ""), class_="stroke"),
            id=f"{name}-{part.key}",
            width=8.0,
            height=8.0,
            patternUnits="userSpaceOnUse",
        )
        for order, part in enumerate(parts)
    ]
    return element("defs", *made)
