"""Merging: groups that turn out to be one template become one, others stay."""

import random

from tests.audit.prompts import filled

from stepdown.audit.merging import Group, join, merge_alike
from stepdown.core.templates import ANYTHING, Template, match


def group(number, template, narrow, count=40, seed=0):
    pick = random.Random(seed + number)
    made = Group(number, (Template(("",)), Template(("",)), narrow))
    for _ in range(count):
        made.keep(("", "", filled(template, pick)))
    return made


def test_what_was_split_by_a_name_is_one():
    shape = "You answer for {name} of the service team. Classify this message: {text}"
    alice = Template(("You answer for Alice of the service team. Classify this message: ", ""))
    bruno = Template(("You answer for Bruno of the service team. Classify this message: ", ""))
    groups = [
        group(0, shape.replace("{name}", "Alice"), alice),
        group(1, shape.replace("{name}", "Bruno"), bruno),
    ]
    wide = join([g.templates for g in groups])
    for template in (alice, bruno):
        assert match(wide[2], "zz".join(template.fragments)) is not None
    merged = merge_alike(groups)
    assert set(merged) <= {0, 1}
    assert all(survivor not in merged for survivor in merged.values())


def test_two_different_tasks_stay_two():
    groups = [
        group(
            0, "Translate this into French: {text}", Template(("Translate this into French: ", ""))
        ),
        group(1, "Name the sender's mood: {text}", Template(("Name the sender's mood: ", ""))),
    ]
    assert merge_alike(groups) == {}
    assert join([g.templates for g in groups])[2] in (ANYTHING, Template(("", ": ", "")))
