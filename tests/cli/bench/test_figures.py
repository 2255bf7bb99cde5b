"""Figures: which side of a target counts, and what the page says."""

from stepdown.cli.bench.figures import Figure, breaks, hardware, markdown, met, with_section


def test_a_target_is_met_from_its_own_side():
    assert met(Figure("a", "3", 3, 2)) == "yes"
    assert met(Figure("a", "3", 3, 4)) == "no"
    assert met(Figure("a", "3", 3, 4, at_most=True)) == "yes"
    assert met(Figure("a", "3", 3)) == ""


QUIET = Figure("a", "3 ms", 3, 4, True, "2 to 5", "quiet")


def test_a_section_names_hardware_command_and_every_figure():
    section = markdown("speed", [QUIET])
    assert hardware() in section
    assert "`stepdown bench --data DIR --only speed`" in section
    assert "| a | 3 ms | ≤ 4 | yes | 2 to 5 | quiet |" in section
    assert "cores" in hardware()


def test_a_section_takes_its_predecessors_place_and_leaves_the_others():
    order = ["size", "speed"]
    page = with_section("", "speed", markdown("speed", [QUIET]), order)
    page = with_section(page, "size", markdown("size", [QUIET]), order)
    again = with_section(page, "size", markdown("size", [QUIET, QUIET]), order)
    assert page.index("## size") < page.index("## speed")
    assert again.count("| a |") == 3
    assert again.partition("## speed")[2] == page.partition("## speed")[2]
    assert with_section(page, "speed", markdown("speed", [QUIET]), order) == page
    assert "gone" not in with_section("## gone\n", "size", "\n## size\n", order)


def test_a_count_that_must_be_met_breaks_the_command():
    assert breaks(Figure("lost", "1", 1, 0, at_most=True, must=True))
    assert not breaks(Figure("lost", "0", 0, 0, at_most=True, must=True))
    assert not breaks(Figure("slow", "9", 9, 1, at_most=True))


def test_between_marks_the_page_around_stays():
    page = "# Mine\n\n## Promises\n\n<!-- numbers -->\n<!-- /numbers -->\nAfter.\n"
    order = ["size", "speed"]
    page = with_section(page, "speed", markdown("speed", [QUIET]), order)
    page = with_section(page, "size", markdown("size", [QUIET], "make size"), order)
    again = with_section(page, "speed", markdown("speed", [QUIET, QUIET]), order)
    assert again.startswith("# Mine\n\n## Promises\n\n<!-- numbers -->\n")
    assert again.endswith("<!-- /numbers -->\nAfter.\n")
    assert again.index("### size") < again.index("### speed")
    assert again.count("| a |") == 3
    assert "`make size`" in again
    assert with_section(page, "speed", markdown("speed", [QUIET]), order) == page
