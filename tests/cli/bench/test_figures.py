"""Figures: which side of a target counts, and what the page says."""

from stepdown.cli.bench.figures import Figure, hardware, markdown, met


def test_a_target_is_met_from_its_own_side():
    assert met(Figure("a", "3", 3, 2)) == "yes"
    assert met(Figure("a", "3", 3, 4)) == "no"
    assert met(Figure("a", "3", 3, 4, at_most=True)) == "yes"
    assert met(Figure("a", "3", 3)) == ""


def test_the_page_names_hardware_command_and_every_figure():
    page = markdown([("speed", [Figure("a", "3 ms", 3, 4, True, "2 to 5", "quiet")])])
    assert hardware() in page
    assert "`stepdown bench --data DIR --only speed`" in page
    assert "| a | 3 ms | ≤ 4 | yes | 2 to 5 | quiet |" in page
    assert "cores" in hardware()
