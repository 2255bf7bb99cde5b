"""The template environment: strict, escaping, and nothing outside the package."""

import pytest
from jinja2 import UndefinedError

from stepdown.web.page import html_page, template_text


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        html_page("audit.html.jinja", title="x")


def test_a_template_shows_its_holes() -> None:
    assert template_text(("Today is ", ". Ticket: ", "")) == "Today is ▢. Ticket: ▢"
    assert template_text(("no hole",)) == "no hole"
