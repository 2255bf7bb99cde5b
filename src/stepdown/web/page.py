"""Templates into one HTML page: everything is escaped, nothing is fetched, nothing runs."""

from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from stepdown.core import display

__all__ = ["MOST_TEXT", "html_page", "template_text"]

MOST_TEXT = 1_200
"""How many characters of one prompt or example a page shows."""

_NO_BREAK = "\N{NO-BREAK SPACE}"


def html_page(template: str, **values: Any) -> str:
    """Return the page that a template of this package makes of `values`.

    Raises:
        jinja2.UndefinedError: the template names a value that was not given.
    """
    style = Markup((resources.files("stepdown.web") / "style.css").read_text("utf-8"))
    return _environment().get_template(template).render(style=style, **values)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        write.__name__: _figure(write)
        for write in (
            display.bytes_size,
            display.count,
            display.days,
            display.milliseconds,
            display.money,
            display.percent,
            display.share,
        )
    }
    filters["plural"], filters["cut"] = display.plural, _cut
    made.filters.update(filters)
    return made


def _source(name: str) -> str:
    return (resources.files("stepdown.web") / "templates" / name).read_text("utf-8")


def _printable(value: Any) -> Any:
    # Markup was made (and escaped) here; any other text may come from a log.
    return (
        display.visible(value)
        if isinstance(value, str) and not isinstance(value, Markup)
        else value
    )


def _figure(write: Callable[..., str]) -> Callable[..., str]:
    def written(*values: Any) -> str:
        return write(*values).replace(" ", _NO_BREAK)

    return written


def _cut(text: str, most: int = MOST_TEXT) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text) - most:,} more characters)"


def template_text(fragments: tuple[str, ...]) -> str:
    """Return a template as people read it: its constant text, with ▢ for each hole."""
    return "▢".join(fragments)
