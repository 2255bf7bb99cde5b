"""Plots with two axes as inline SVG: lines with a reference, scatter, and reliability.

What is drawn is told apart by dash or marker as well as by colour, and is named in a legend below
the plot, where nothing can cover it.
"""

from collections.abc import Callable, Iterator, Sequence

import msgspec
from markupsafe import Markup

from stepdown.core.display import count, percent, share
from stepdown.web.svg import FONT, Scale, element, figure, nice_ticks, text, text_width

__all__ = ["Axis", "Dot", "Mark", "Series", "line_plot", "reliability_plot", "scatter_plot"]

WIDTH, HEIGHT = 400.0, 270.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, WIDTH - 18.0, 10.0, HEIGHT - 42.0
_LEGEND_ROW = 20.0


class Axis(msgspec.Struct, frozen=True):
    """An axis: what it shows, its ends, and how its ticks are written."""

    label: str
    low: float
    high: float
    shown: Callable[[float], str] = percent

    def ticks(self) -> list[float]:
        """Return round values that span the axis."""
        return nice_ticks(self.low, self.high)


class Series(msgspec.Struct, frozen=True):
    """A line: its name in the legend and its (x, y) points in drawing order."""

    name: str
    points: Sequence[tuple[float, float]]


class Mark(msgspec.Struct, frozen=True):
    """A point of note on a line plot; its label stands in the legend."""

    x: float
    y: float
    label: str


class Dot(msgspec.Struct, frozen=True):
    """A point of a scatter plot with its short label and its whole description."""

    label: str
    x: float
    y: float
    said: str


class _Frame(msgspec.Struct, frozen=True):
    x: Scale
    y: Scale
    drawn: Markup


def _frame(x: Axis, y: Axis) -> _Frame:
    across, up = x.ticks(), y.ticks()
    scale_x = Scale.over(across, _LEFT, _RIGHT)
    scale_y = Scale.over(up, _BOTTOM, _TOP)
    parts: list[Markup] = []
    for tick in up:
        at = scale_y.at(tick)
        parts.append(element("line", x1=_LEFT, x2=_RIGHT, y1=at, y2=at, class_="grid"))
        parts.append(text(_LEFT - 7, at + 4, y.shown(tick), anchor="end", class_="tick"))
    for tick in across:
        at = scale_x.at(tick)
        parts.append(element("line", x1=at, x2=at, y1=_BOTTOM, y2=_BOTTOM + 4, class_="axis"))
        parts.append(_tick_below(at, x.shown(tick)))
    parts.append(element("line", x1=_LEFT, x2=_RIGHT, y1=_BOTTOM, y2=_BOTTOM, class_="axis"))
    parts.append(text((_LEFT + _RIGHT) / 2, HEIGHT - 6, x.label, anchor="middle", class_="label"))
    parts.append(_upright(y.label))
    return _Frame(scale_x, scale_y, Markup("").join(parts))


def _tick_below(at: float, shown: str) -> Markup:
    # A label at the right end may not leave the picture.
    sticks_out = at + text_width(shown) / 2 > WIDTH
    return text(
        WIDTH if sticks_out else at,
        _BOTTOM + 18,
        shown,
        anchor="end" if sticks_out else "middle",
        class_="tick",
    )


def _upright(label: str) -> Markup:
    middle = (_TOP + _BOTTOM) / 2
    return element(
        "text",
        label,
        x=0.0,
        y=0.0,
        text_anchor="middle",
        class_="label",
        transform=f"translate(11 {middle:g}) rotate(-90)",
    )


def _with_legend(
    name: str, title: str, said: str, plot: Sequence[Markup], legend: Sequence[tuple[Markup, str]]
) -> Markup:
    rows: list[Markup] = []
    for place, (sample, words) in enumerate(legend):
        top = HEIGHT + 8 + place * _LEGEND_ROW
        rows.append(element("g", sample, transform=f"translate(14 {top + 7:g})"))
        rows.append(text(32, top + 11, words, width=WIDTH - 34, class_="label"))
    size = (WIDTH, HEIGHT + 10 + len(legend) * _LEGEND_ROW)
    return figure(name, title, said, size, Markup("").join((*plot, *rows)))


def _sample(class_: str) -> Markup:
    return element("line", x1=-13.0, x2=11.0, y1=0.0, y2=0.0, class_=class_)


def line_plot(
    name: str,
    title: str,
    axes: tuple[Axis, Axis],
    series: Sequence[Series],
    limit: tuple[float, str] | None = None,
    mark: Mark | None = None,
) -> Markup:
    """Return lines over common axes, with a horizontal limit and one marked point, if any."""
    frame = _frame(*axes)
    plot, legend = [frame.drawn], list[tuple[Markup, str]]()
    said = [f"{axes[1].label} against {axes[0].label.lower()}"]
    for place, line in enumerate(series):
        plot += _line(frame, line.points, f"line line{place}")
        legend.append((_sample(f"line line{place}"), line.name))
        said.append(f"{line.name}: {len(line.points)} points")
    if limit is not None:
        at = frame.y.at(limit[0])
        plot.append(element("line", x1=_LEFT, x2=_RIGHT, y1=at, y2=at, class_="limit"))
        legend.append((_sample("limit"), limit[1]))
        said.append(limit[1])
    if mark is not None:
        x, y = frame.x.at(mark.x), frame.y.at(mark.y)
        plot.append(element("line", x1=x, x2=x, y1=_TOP, y2=_BOTTOM, class_="drop"))
        plot.append(element("circle", cx=x, cy=y, r=5.5, class_="mark"))
        legend.append((element("circle", cx=0.0, cy=0.0, r=5.5, class_="mark"), mark.label))
        said.append(mark.label)
    return _with_legend(name, title, "; ".join(said), plot, legend)


def _line(frame: _Frame, points: Sequence[tuple[float, float]], class_: str) -> Iterator[Markup]:
    places = [(frame.x.at(x), frame.y.at(y)) for x, y in points]
    if len(places) == 1:
        yield element("circle", cx=places[0][0], cy=places[0][1], r=3.5, class_="dot")
    elif places:
        path = "M" + " L".join(f"{x:.2f},{y:.2f}" for x, y in places)
        yield element("path", d=path, class_=class_)


_NO_POINT = "No point is known."
_MARKERS = (
    "M0,-6 A6,6 0 1 1 0,6 A6,6 0 1 1 0,-6 Z",
    "M-5,-5 H5 V5 H-5 Z",
    "M0,-7 L6.5,5 H-6.5 Z",
    "M0,-7 L7,0 L0,7 L-7,0 Z",
    "M-6,-2 H-2 V-6 H2 V-2 H6 V2 H2 V6 H-2 V2 H-6 Z",
)


def scatter_plot(name: str, title: str, axes: tuple[Axis, Axis], dots: Sequence[Dot]) -> Markup:
    """Return one marker a dot, each with its label beside it where there is room for it."""
    frame = _frame(*axes)
    plot, legend = [frame.drawn], list[tuple[Markup, str]]()
    places = [(frame.x.at(dot.x), frame.y.at(dot.y)) for dot in dots]
    taken = [(x - 8, y - 8, x + 8, y + 8) for x, y in places]
    for place, (dot, (x, y)) in enumerate(zip(dots, places, strict=True)):
        shape = _MARKERS[place % len(_MARKERS)]
        class_ = f"marker marker{place % len(_MARKERS)}"
        marker = element("path", element("title", dot.said), d=shape, class_=class_)
        plot.append(element("g", marker, transform=f"translate({x:.2f} {y:.2f})"))
        plot += _beside(dot.label, x, y, taken)
        legend.append((element("path", d=shape, class_=class_), dot.said))
    if not dots:
        middle = ((_LEFT + _RIGHT) / 2, (_TOP + _BOTTOM) / 2)
        plot.append(text(*middle, _NO_POINT, anchor="middle", class_="label halo"))
    said = "; ".join(dot.said for dot in dots) or _NO_POINT
    return _with_legend(name, title, said, plot, legend)


_Box = tuple[float, float, float, float]


def _beside(label: str, x: float, y: float, taken: list[_Box]) -> Iterator[Markup]:
    wide = text_width(label)
    for left, base in (
        (x + 11, y + 4),
        (x - 11 - wide, y + 4),
        (x - wide / 2, y - 11),
        (x - wide / 2, y + 21),
    ):
        box = (left, base - FONT, left + wide, base + 4)
        inside = left >= _LEFT and left + wide <= _RIGHT and box[1] >= 0 and box[3] <= _BOTTOM
        if inside and not any(_overlap(box, other) for other in taken):
            taken.append(box)
            yield text(left, base, label, class_="label halo")
            return


def _overlap(one: _Box, two: _Box) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def reliability_plot(name: str, title: str, bins: Sequence[tuple[float, float, int]]) -> Markup:
    """Return the reliability diagram of (mean confidence, agreement, count) bins.

    Guo et al. 2017, On Calibration of Modern Neural Networks, section 2: bins on the diagonal say
    what they mean; below it the model is too sure of itself. A dot's area is its bin's count.
    """
    frame = _frame(Axis("Confidence", 0.0, 1.0), Axis("Agreement", 0.0, 1.0))
    filled = [one for one in bins if one[2] > 0]
    most = max((rows for _, _, rows in filled), default=1)
    diagonal = element("line", x1=_LEFT, y1=_BOTTOM, x2=_RIGHT, y2=_TOP, class_="limit")
    plot = [frame.drawn, diagonal, *_line(frame, [one[:2] for one in filled], "line line0")]
    for confidence, agreement, rows in filled:
        words = f"{share(agreement)} agree at {share(confidence)} confidence, {count(rows)} rows"
        plot.append(
            element(
                "circle",
                element("title", words),
                cx=frame.x.at(confidence),
                cy=frame.y.at(agreement),
                r=2.5 + 6.5 * (rows / most) ** 0.5,
                class_="dot",
            )
        )
    legend = [
        (
            element("circle", cx=0.0, cy=0.0, r=5.0, class_="dot"),
            "This model; a larger dot is more rows",
        ),
        (_sample("limit"), "As often right as it claims"),
    ]
    said = "; ".join(f"confidence {share(c)}: agreement {share(a)}" for c, a, _ in filled)
    return _with_legend(name, title, said or "No rows.", plot, legend)
