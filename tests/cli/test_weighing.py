"""The climb's table has a cell for every column, whatever became of a rung."""

from stepdown.cli.weighing import LADDER_COLUMNS, Step, ladder_rows


def test_a_row_for_each_step_as_the_columns_name_them():
    rows = ladder_rows(
        [
            Step("linear", "taken", True, "abc", 0, 5_000_000, 1.0, 100, 0.93, 0.8, 0.1, 2.1),
            Step("encoder", "Install stepdown[encoder]."),
            Step("gpt (hosted)", "dearer", agreement=0.9, coverage=0.5, p50_ms=300.0),
        ]
    )
    assert all(len(row) == len(LADDER_COLUMNS) for row in rows)
    assert rows[0][0] == "▸ linear"
    assert rows[1][-1] == "skipped"
    assert rows[1][1:-1] == [""] * (len(LADDER_COLUMNS) - 2)
    assert rows[2][-1] == ""
