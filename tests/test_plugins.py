"""Built-ins enter by the plug-in door, and the door says what is behind it."""

from importlib.metadata import EntryPoint

import pytest

from stepdown import plugins
from stepdown.errors import PluginError


def test_the_built_in_names_are_listed_once_each():
    assert [point.name for point in plugins.listed("logs")] == [
        "helicone",
        "langfuse",
        "litellm",
        "native",
        "openai-batch",
        "openai-finetune",
        "openai-stored",
        "otel",
        "plain",
    ]
    assert plugins.families() == [
        "encoder",
        "encoder-tuned",
        "generative",
        "linear",
        "needle",
    ]


def test_an_engine_is_made_for_its_workers():
    assert [point.name for point in plugins.listed("engines")] == ["local", "ray"]
    assert plugins.engine("local").workers == 0
    with pytest.raises(PluginError, match="local, ray"):
        plugins.engine("spark")


def test_the_ladder_is_climbed_from_the_smallest():
    sizes = [family.parameters for family in plugins.ladder()]
    assert sizes == sorted(sizes)
    assert plugins.ladder()[0].name == "linear"


def test_an_unknown_family_names_the_known_ones():
    with pytest.raises(PluginError, match="linear"):
        plugins.family("giant")


def test_a_plug_in_that_does_not_import_is_named(monkeypatch):
    broken = EntryPoint("broken", "no_such_module:FAMILY", "stepdown.students")
    monkeypatch.setattr(plugins, "listed", lambda kind: [broken])
    with pytest.raises(PluginError, match="'broken'"):
        plugins.family("broken")
