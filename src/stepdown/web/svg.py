"""Small pieces of SVG: escaped elements, text that fits its place, scales and round ticks."""

import math
import unicodedata
from collections.abc import Sequence

import msgspec
from markupsafe import Markup, escape

from stepdown.core.display import visible

__all__ = ["FONT", "Scale", "element", "figure", "fitted", "nice_ticks", "text", "text_width"]

FONT = 12.5
"""Font size of chart text, in the units of the view box."""

_NARROW = frozenset("iljtfrI.,:;!'|()[] ")
_WIDE = frozenset("mwMW%@")


def element(tag: str, *children: str, **attributes: str | float | None) -> Markup:
    """Return one element; children that are not Markup and all attributes are escaped.

    `class_` is written `class`, other underscores become hyphens; an attribute of None is left out.
    """
    parts = [f"<{tag}"]
    for name, value in attributes.items():
        if value is not None:
            shown = value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
            parts.append(f' {name.rstrip("_").replace("_", "-")}="{escape(visible(shown))}"')
    inside = "".join(
        child if isinstance(child, Markup) else escape(visible(child)) for child in children
    )
    # Every part was escaped above.
    return Markup("".join(parts) + f">{inside}</{tag}>")


def figure(name: str, title: str, description: str, size: tuple[float, float], body: str) -> Markup:
    """Return a whole chart that scales with its place and reads its title to a screen reader.

    `name` is unique on the page: ids inside the chart begin with it. `size` is (width, height).
    """
    width, height = size
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-desc"),
        body,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        xmlns="http://www.w3.org/2000/svg",
        class_="chart",
    )


def text_width(content: str, size: float = FONT) -> float:
    """Return about how wide `content` is when set in a sans-serif of `size`; errs to the wide."""
    return sum(map(_ems, content)) * size


def _ems(char: str) -> float:
    if unicodedata.east_asian_width(char) in "WF":
        return 1.05
    if char in _NARROW:
        return 0.38
    return 0.95 if char in _WIDE else 0.74 if char.isupper() else 0.62


def fitted(content: str, width: float, size: float = FONT) -> str:
    """Return `content`, cut with an ellipsis to what fits into `width`."""
    content = " ".join(visible(content).split())
    if text_width(content, size) <= width:
        return content
    room, kept = width - text_width("…", size), 0
    for char in content:
        room -= text_width(char, size)
        if room < 0:
            break
        kept += 1
    return content[:kept].rstrip() + "…"


def text(
    x: float,
    y: float,
    content: str,
    *,
    anchor: str = "start",
    width: float | None = None,
    class_: str | None = None,
) -> Markup:
    """Return a line of text; where `width` cuts it, the whole of it becomes its title."""
    shown = content if width is None else fitted(content, width)
    whole = [element("title", content)] if shown != content else []
    anchor_or_default = None if anchor == "start" else anchor
    return element("text", shown, *whole, x=x, y=y, text_anchor=anchor_or_default, class_=class_)


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return at most `most` + 1 round values, 1, 2 or 5 times a power of ten apart.

    They span [low, high]; equal or reversed ends are widened to something that can be drawn.
    """
    if not high - low > 1e-9 * max(abs(low), abs(high), 1e-200):
        low, high = (0.0, 1.0) if low < 1e-200 else (0.0, low)
    rough = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


class Scale(msgspec.Struct, frozen=True):
    """A linear map from values [low, high] to places [start, stop]; values outside are clamped."""

    low: float
    high: float
    start: float
    stop: float

    @classmethod
    def over(cls, ticks: Sequence[float], start: float, stop: float) -> "Scale":
        """Return the scale that spans the ticks."""
        return cls(ticks[0], ticks[-1], start, stop)

    def at(self, value: float) -> float:
        """Return the place of `value`."""
        part = (value - self.low) / (self.high - self.low)
        return self.start + min(max(part, 0.0), 1.0) * (self.stop - self.start)
