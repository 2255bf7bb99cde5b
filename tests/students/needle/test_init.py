"""The family: for tool tasks alone, from any checkpoint, on the ladder."""

from typing import Any

import msgspec

from stepdown import plugins
from stepdown.core.anatomy import Anatomy
from stepdown.students.needle import FAMILY

from .conftest import TASK


def test_it_is_for_tool_calls():
    assert FAMILY.unsuited(TASK) == ""
    text = msgspec.structs.replace(TASK, anatomy=Anatomy("text", (), 9, 1, 1))
    assert "only calls tools" in FAMILY.unsuited(text)


def test_it_stands_on_the_ladder_and_takes_a_checkpoint(tmp_path):
    names = [family.name for family in plugins.ladder()]
    assert names.index("needle") < names.index("generative")
    other: Any = plugins.family("needle:/models/needle3.safetensors", tmp_path)
    assert other.settings.checkpoint == "/models/needle3.safetensors"
    assert other.scratch == tmp_path
