import json
import sys
import types
from importlib import metadata

import numpy as np
import pytest
from safetensors.numpy import save

from stepdown.core.fingerprint import digest
from stepdown.errors import Unavailable
from stepdown.students import weights
from stepdown.students.catalogue import Entry, Origin
from stepdown.students.weights import find_weights

BERT = {"model_type": "bert", "architectures": ["BertModel"]}
LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
DATA = save({"w": np.arange(4, dtype=np.float32)})
OTHER = save({"w": np.arange(5, dtype=np.float32)})


def folder(path, files=None, config=BERT):
    path.mkdir(parents=True, exist_ok=True)
    for name, data in (files or {"model.safetensors": DATA}).items():
        (path / name).write_bytes(data)
    if config is not None:
        (path / "config.json").write_text(json.dumps(config))
    return path


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub with repositories `there` and a cache of `cached` ones; it notes what it is asked."""
    state = types.SimpleNamespace(there={}, cached={}, asked=[])

    def snapshot_download(repository, local_files_only, **_):
        state.asked.append((repository, local_files_only))
        known = state.cached if local_files_only else state.there
        if repository not in known:
            raise OSError("no such host\nsecond line")
        return str(known[repository])

    module = types.SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return state


@pytest.fixture
def package(monkeypatch, tmp_path):
    """An installed distribution "weights-of-m" with one file; its module can't be imported."""
    site = tmp_path / "site"
    inside = site / "weights_of_m" / "model"
    folder(inside)
    (site / "weights_of_m" / "__init__.py").write_text("raise RuntimeError('imported')")
    info = site / "weights_of_m-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: weights-of-m\nVersion: 1.0\n")
    (info / "RECORD").write_text("weights_of_m/model/model.safetensors,,\nweights_of_m/x.py,,\n")
    real = metadata.distribution
    mine = metadata.PathDistribution(info)
    monkeypatch.setattr(
        weights, "distribution", lambda name: mine if name == "weights-of-m" else real(name)
    )
    return inside


def known(monkeypatch, hub_hash="", package_hash=""):
    origins = (
        Origin("hub", "maker/m", file="model.safetensors", sha256=hub_hash),
        Origin("package", "weights-of-m", "weights_of_m/model", "model.safetensors", package_hash),
    )
    entry = Entry("m", "encoder", "encoder", 1, "MIT", (), 8, origins)
    names = {"m", "maker/m", "weights-of-m"}
    monkeypatch.setattr(weights, "find_entry", lambda name: entry if name in names else None)


def test_a_folder_and_a_file_are_found_by_path(tmp_path, hub):
    place = folder(tmp_path / "m")
    for name in (str(place), str(place / "model.safetensors")):
        found = find_weights(name)
        assert (found.source, found.folder, found.files) == ("path", place, ("model.safetensors",))
        assert found.sha256 == digest(DATA)
        assert found.config == BERT
        assert found.path.read_bytes() == DATA
    assert hub.asked == []


def test_the_cache_comes_first_and_needs_no_network(tmp_path, hub):
    hub.cached["maker/x"] = folder(tmp_path / "cache")
    assert find_weights("maker/x").source == "hub"
    assert hub.asked == [("maker/x", True)]


def test_what_the_cache_lacks_is_fetched(tmp_path, hub):
    hub.there["maker/x"] = folder(tmp_path / "fetched")
    assert find_weights("maker/x").folder == tmp_path / "fetched"
    assert hub.asked == [("maker/x", True), ("maker/x", False)]


def test_a_cache_with_a_part_of_the_repository_is_passed_over(tmp_path, hub):
    hub.cached["maker/x"] = folder(tmp_path / "cache", {"tokenizer.json": b"{}"})
    hub.there["maker/x"] = folder(tmp_path / "fetched")
    assert find_weights("maker/x").folder == tmp_path / "fetched"


def test_offline_asks_the_cache_alone(hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Unavailable, match="fetch maker/x from the model hub"):
        find_weights("maker/x")
    assert hub.asked == [("maker/x", True)]


def test_a_package_with_the_hubs_own_bytes_spares_the_network(hub, package, monkeypatch):
    known(monkeypatch, digest(DATA), digest(DATA))
    found = find_weights("m")
    assert (found.source, found.folder) == ("package", package)
    assert hub.asked == [("maker/m", True)]


def test_a_package_with_other_bytes_comes_after_the_hub(tmp_path, hub, package, monkeypatch):
    known(monkeypatch, digest(OTHER), digest(DATA))
    assert find_weights("m").source == "package"
    assert hub.asked == [("maker/m", True), ("maker/m", False)]
    hub.there["maker/m"] = folder(tmp_path / "f", {"model.safetensors": OTHER})
    assert find_weights("m").sha256 == digest(OTHER)


def test_a_package_is_found_by_its_own_name_alone(hub, package, monkeypatch):
    known(monkeypatch)
    assert find_weights("weights-of-m").source == "package"
    monkeypatch.setattr(weights, "find_entry", lambda name: None)
    assert find_weights("weights-of-m").folder == package
    assert hub.asked == []


def test_the_message_names_the_package_and_the_repository(hub, monkeypatch):
    known(monkeypatch)
    with pytest.raises(Unavailable) as caught:
        find_weights("m")
    for part in ("no such host", "package weights-of-m", "maker/m"):
        assert part in str(caught.value)
    assert "second line" not in str(caught.value)


def test_a_wrong_hash_is_refused(hub, package, tmp_path, monkeypatch):
    known(monkeypatch, package_hash=digest(OTHER))
    with pytest.raises(Unavailable, match="SHA-256 differs"):
        find_weights("m")
    with pytest.raises(Unavailable, match="SHA-256 differs"):
        find_weights(str(folder(tmp_path / "m")), sha256=digest(OTHER))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_pickles_are_refused_in_a_folder_and_by_name(tmp_path, name):
    place = folder(tmp_path / "m", {name: b"\x80\x04N."})
    for given in (place, place / name):
        with pytest.raises(Unavailable, match=f"pickled \\({name}\\)"):
            find_weights(str(given))


def test_safetensors_are_taken_where_a_pickle_lies_beside_them(tmp_path):
    files = {"pytorch_model.bin": b"\x80", "model.safetensors": DATA}
    assert find_weights(str(folder(tmp_path / "m", files))).files == ("model.safetensors",)


def test_truncated_weights_are_refused(tmp_path):
    place = folder(tmp_path / "m", {"model.safetensors": DATA[:-4]})
    with pytest.raises(Unavailable, match="fetch the weights again"):
        find_weights(str(place))


def test_another_architecture_is_refused(tmp_path):
    place = str(folder(tmp_path / "m", config=LLAMA))
    assert find_weights(place, "generative").config == LLAMA
    with pytest.raises(Unavailable, match="architecture 'llama'"):
        find_weights(place)
    with pytest.raises(Unavailable, match="needs bert"):
        find_weights(str(folder(tmp_path / "n", config={"model_type": "mpnet"})), types=["bert"])


def test_an_unknown_architecture_is_no_listed_one(tmp_path):
    place = str(folder(tmp_path / "m", config=None))
    assert find_weights(place).config is None
    with pytest.raises(Unavailable, match=r"no config\.json"):
        find_weights(place, types=["bert"])


def test_gguf_is_for_generating_models(tmp_path):
    place = str(folder(tmp_path / "m", {"m.Q4.gguf": b"GGUF"}, config=None))
    found = find_weights(place, "generative", types=["llama"])
    assert (found.format, found.files, found.config) == ("gguf", ("m.Q4.gguf",), None)
    with pytest.raises(Unavailable, match="safetensors or onnx"):
        find_weights(place)
    with pytest.raises(Unavailable, match="safetensors or onnx"):
        find_weights(f"{place}/m.Q4.gguf")


def test_shards_are_one_model(tmp_path):
    index = {"weight_map": {"a": "b.safetensors", "c": "a.safetensors", "d": "a.safetensors"}}
    files = {"model.safetensors.index.json": json.dumps(index).encode()}
    place = folder(tmp_path / "m", {**files, "a.safetensors": DATA, "b.safetensors": OTHER})
    found = find_weights(str(place))
    assert found.files == ("a.safetensors", "b.safetensors")
    assert found.sha256 == digest((digest(DATA) + digest(OTHER)).encode())
    (place / "b.safetensors").unlink()
    with pytest.raises(Unavailable, match="is missing"):
        find_weights(str(place))


@pytest.mark.parametrize(
    "index", [b"{", b"{}", b'{"weight_map":{}}', b'{"weight_map":{"a":"../b"}}']
)
def test_an_index_that_says_nothing_or_leads_outside_is_refused(tmp_path, index):
    place = folder(tmp_path / "m", {"model.safetensors.index.json": index})
    with pytest.raises(Unavailable, match="fetch the weights again"):
        find_weights(str(place))


def test_a_broken_config_is_refused(tmp_path):
    place = folder(tmp_path / "m")
    (place / "config.json").write_text("{")
    with pytest.raises(Unavailable, match=r"config\.json can't be read"):
        find_weights(str(place))


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere", "~/nowhere"])
def test_a_path_that_is_not_there_is_no_hub_name(hub, name):
    with pytest.raises(Unavailable, match="no folder or file"):
        find_weights(name)
    assert hub.asked == []


def test_a_bare_unknown_name_is_asked_of_nobody(hub):
    with pytest.raises(Unavailable, match="not here"):
        find_weights("model-of-nobody")
    assert hub.asked == []


def test_without_the_hubs_client_packages_still_serve(package, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    known(monkeypatch)
    assert find_weights("m").source == "package"
    with pytest.raises(Unavailable, match="huggingface_hub is not installed"):
        find_weights("maker/x")
