"""The family: for free text alone, from any model, and a sentence where an extra is missing."""

import sys
from typing import Any

import msgspec
import pytest

from stepdown import plugins
from stepdown.core.digests import Limits, style_of_summaries
from stepdown.errors import Unavailable
from stepdown.students.generative import FAMILY

from .conftest import TICKET_TASK, TOPIC_TASK, topics


def test_it_is_for_free_text():
    assert FAMILY.unsuited(TICKET_TASK) == ""
    assert "no field is free text" in FAMILY.unsuited(TOPIC_TASK)


def test_it_stands_on_the_ladder_and_takes_a_model(tmp_path):
    assert "generative" in [family.name for family in plugins.ladder()]
    other: Any = plugins.family("generative:qwen2.5-0.5b-instruct", tmp_path)
    assert (other.model, other.scratch) == ("qwen2.5-0.5b-instruct", tmp_path)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    for name in [n for n in sys.modules if n.startswith("stepdown.students.generative.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(Unavailable, match=r"stepdown\[generate\]"):
        FAMILY.train(TOPIC_TASK, topics(40))


def test_it_is_for_summaries():
    style = style_of_summaries(Limits(80))
    anatomy = msgspec.structs.replace(TOPIC_TASK.anatomy, style=style)
    assert FAMILY.unsuited(msgspec.structs.replace(TOPIC_TASK, anatomy=anatomy)) == ""
