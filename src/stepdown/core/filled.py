"""Text answers that fill in a template: "Ticket from {0}: {1}; priority {2}."

Such an answer is to its template what a tool call is to its tool: the template is chosen, its slots
are the arguments. A task's anatomy keeps templates and slots in its `style`; here texts become
records of shape tool and records become texts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.templates import Template, match

__all__ = ["TEMPLATE", "fill", "slot_path", "slots_of", "style_with", "take_apart", "templates_of"]

TEMPLATE = "template"
"""What stands for a normaliser where a text answer fills in a template."""

_TEMPLATES = "templates"
_SLOTS = "slots"
_TOOL = "/tool"


def _name(at: int) -> str:
    return f"template{at}"


def slot_path(template: int, slot: int) -> str:
    """Return the field path of a slot, both counted from 0."""
    return f"/{_name(template)}/{slot}"


def style_with(templates: Sequence[Template], slots: Sequence[Field]) -> dict[str, Any]:
    """Return the style of an anatomy whose text answers fill in `templates`."""
    return {
        _TEMPLATES: [list(template.fragments) for template in templates],
        _SLOTS: msgspec.to_builtins(slots),
    }


def templates_of(anatomy: Anatomy) -> tuple[Template, ...]:
    """Return the templates of a task's text answers, most frequent first; mostly there are none."""
    return tuple(Template(tuple(found)) for found in anatomy.style.get(_TEMPLATES, ()))


def slots_of(anatomy: Anatomy) -> Anatomy:
    """Return the anatomy of the answers taken apart: of shape tool, one tool a template."""
    slots = tuple(msgspec.convert(slot, Field) for slot in anatomy.style.get(_SLOTS, ()))
    names = tuple(_name(at) for at in range(len(templates_of(anatomy))))
    root = Field(_TOOL, "choice", values=names, distinct=len(names), count=anatomy.sampled)
    return msgspec.structs.replace(anatomy, shape="tool", fields=(root, *slots), style={})


def take_apart(templates: Sequence[Template], text: str) -> dict[str, Any] | None:
    """Return the record of shape tool that fills in the first template that fits, or None."""
    for at, template in enumerate(templates):
        found = match(template, text)
        if found is not None:
            slots = {slot_path(at, slot): value for slot, value in enumerate(found)}
            return {_TOOL: _name(at), **slots}
    return None


def fill(templates: Sequence[Template], record: Mapping[str, Any]) -> str | None:
    """Return the text that `record` stands for; None where it lacks a slot or the template."""
    names = {_name(at): at for at in range(len(templates))}
    at = names.get(record.get(_TOOL, ""))
    if at is None:
        return None
    first, *rest = templates[at].fragments
    parts = [first]
    for slot, fragment in enumerate(rest):
        value = record.get(slot_path(at, slot))
        if not isinstance(value, str):
            return None
        parts += [value, fragment]
    return "".join(parts)
