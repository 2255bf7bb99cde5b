"""Tables fit the terminal, keep names whole where they can, and show log text as it is."""

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from stepdown.tables import table


def printed(what: RenderableType, width: int = 100) -> str:
    out = io.StringIO()
    Console(file=out, width=width, markup=False, emoji=False, highlight=False).print(what)
    return out.getvalue()


NAME = "route-requests-personal-answer"
COLUMNS = ("task", "dataset", "student", ">answered")
ROW = (NAME, "dcba7d9034c1", "c59337632cd9", "398 of 413")


@pytest.mark.parametrize(
    ("width", "shown", "left_out"),
    [
        (70, 4, ""),
        (69, 3, "dataset"),
        (56, 3, "dataset"),
        (55, 2, "dataset, student"),
        (46, 2, "dataset, student"),
    ],
)
def test_columns_are_left_out_before_names_are_cut(width: int, shown: int, left_out: str) -> None:
    lines = printed(table("Tasks", COLUMNS, [ROW], ("dataset", "student")), width).splitlines()
    assert lines[3].split()[0] == NAME
    assert len(re.split(r" {2,}", lines[3].strip())) == shown
    assert max(map(cell_len, lines)) <= width
    assert lines[-1].removeprefix("Left out for want of width: ").rstrip(". ") == (
        left_out or lines[3].rstrip()
    )


def test_names_are_cut_and_figures_are_not_where_nothing_helps() -> None:
    text = printed(table("", COLUMNS, [ROW], ("dataset", "student")), 30)
    assert re.search(r"route-re\S*…  398 of 413", text)


def test_log_text_is_not_markup() -> None:
    assert "[bold]x[/bold]" in printed(table("", ["[red]a"], [["[bold]x[/bold]"]]))


def test_it_aligns_and_formats_cells() -> None:
    rows = [["a", 12345, 0.5], ["b", None, 1]]
    text = printed(table("Routes", ["Task", ">Calls", ">Share"], rows))
    assert text.splitlines()[0].strip() == "Routes"
    assert re.search(r"a +12,345 +0\.5", text)
    assert re.search(r"b +unknown +1", text)


def test_an_empty_one_is_its_heading() -> None:
    assert "Task" in printed(table("", ["Task"], []))
