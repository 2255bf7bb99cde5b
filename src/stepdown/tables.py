"""Tables for a terminal: where it is narrow, columns are left out before names are cut.

Text from a log is never read as markup and carries no control character.
"""

from collections.abc import Callable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from stepdown.core import display

__all__ = ["Cell", "bare", "fitted", "one_line", "shown", "table"]

Cell = str | int | float | None
"""A table's cell: text as it is, a number with separators, None as "unknown"."""

_ANY_WIDTH = 10_000


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    spare: Sequence[str] = (),
) -> RenderableType:
    """Return a table; a column whose heading starts with `>` is set flush right.

    Where the terminal is too narrow the columns in `spare` are left out, the first of them first.
    Then the first column is cut with an ellipsis, and other columns that are not flush right wrap;
    figures are never cut.
    """

    def make(without: Sequence[str]) -> Table:
        made = bare(title)
        kept = [at for at, name in enumerate(columns) if name.removeprefix(">") not in without]
        for heading in (columns[at] for at in kept):
            right = heading.startswith(">")
            made.add_column(
                shown(heading.removeprefix(">")),
                justify="right" if right else "left",
                no_wrap=right,
                overflow="fold",
            )
        for row in rows:
            first, *others = (_cell(row[at]) for at in kept)
            made.add_row(one_line(first), *others)
        return made

    return fitted(make, spare) if spare else make(())


def fitted(make: Callable[[Sequence[str]], Table], spare: Sequence[str]) -> RenderableType:
    """Return a table that `make` makes without some columns: as few of `spare` as the terminal's
    width asks for."""
    return _Fitted(make, spare)


class _Fitted:
    def __init__(self, make: Callable[[Sequence[str]], Table], spare: Sequence[str]) -> None:
        self._make = make
        self._spare = spare

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        count, unbound = 0, options.update(width=_ANY_WIDTH)
        while (
            count < len(self._spare)
            and console.measure(self._make(self._spare[:count]), options=unbound).maximum
            > options.max_width
        ):
            count += 1
        yield self._make(self._spare[:count])
        if count:
            left_out = f"Left out for want of width: {', '.join(self._spare[:count])}."
            yield Text(left_out, style="dim")


def bare(title: str = "") -> Table:
    """Return a table without columns, as all of ours look."""
    return Table(
        box=SIMPLE_HEAD,
        title=shown(title) if title else None,
        title_justify="left",
        title_style="bold",
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def one_line(text: Text) -> Text:
    """Return text that is cut where it does not fit."""
    # Set on the text, not on its column: rich narrows only columns that may wrap.
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def shown(text: str, style: str = "") -> Text:
    """Return anyone's text as it may be shown."""
    return Text(display.visible(text), style=style)


def _cell(value: Cell) -> Text:
    if value is None:
        return Text(display.UNKNOWN, style="dim")
    if isinstance(value, int):
        return Text(display.count(value))
    return shown(value) if isinstance(value, str) else Text(f"{value:,.4g}")
