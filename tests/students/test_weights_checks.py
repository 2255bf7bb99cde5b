import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from stepdown.errors import Unavailable
from stepdown.students import weights_checks as checks

WHOLE = save({"a": np.arange(6, dtype=np.float32), "b": np.zeros((2, 3), np.int8)})


def test_a_whole_file_passes(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(WHOLE)
    checks.check_safetensors(path)


@given(st.integers(0, len(WHOLE) - 1))
def test_a_file_cut_off_anywhere_is_refused(tmp_path_factory, length):
    path = tmp_path_factory.mktemp("cut") / "model.safetensors"
    path.write_bytes(WHOLE[:length])
    with pytest.raises(Unavailable, match="fetch the weights again"):
        checks.check_safetensors(path)


@pytest.mark.parametrize("header", [b"{", b"[1]", b'{"a":{}}', b'{"a":{"data_offsets":[0]}}'])
def test_a_header_that_says_nothing_is_refused(tmp_path, header):
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(Unavailable, match="header that can't be read"):
        checks.check_safetensors(path)


def test_gguf_begins_with_its_name(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF...")
    checks.check_gguf(path)
    path.write_bytes(b"GGML...")
    with pytest.raises(Unavailable, match="no GGUF file"):
        checks.check_gguf(path)


def test_the_hash_follows_the_file(tmp_path):
    path = tmp_path / "x"
    for data in (b"one", b"three"):
        path.write_bytes(data)
        assert checks.sha256_of(path) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("pytorch_model.bin", True), ("m.PT", True), ("model.safetensors", False), ("m.gguf", False)],
)
def test_pickles_are_known_by_their_names(tmp_path, name, is_one):
    assert checks.is_pickle(tmp_path / name) is is_one


BERT = {"model_type": "bert", "architectures": ["BertModel"]}
LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
T5 = {"model_type": "t5", "architectures": ["T5EncoderModel"], "is_encoder_decoder": True}


@pytest.mark.parametrize(
    ("config", "kind", "types", "fits"),
    [
        (BERT, "encoder", (), True),
        (BERT, "encoder", ("bert",), True),
        (BERT, "encoder", ("distilbert",), False),
        (BERT, "generative", (), False),
        (LLAMA, "generative", (), True),
        (LLAMA, "encoder", (), False),
        (T5, "encoder", (), False),
        ({"model_type": "bert", "architectures": ["BertLMHeadModel"]}, "encoder", (), True),
        ({"model_type": "newest"}, "encoder", (), True),
        ({"model_type": "newest"}, "generative", (), True),
        ({}, "encoder", (), False),
    ],
)
def test_an_encoder_generates_nothing_and_a_generator_does(config, kind, types, fits):
    if fits:
        checks.check_architecture("m", config, kind, types)
    else:
        with pytest.raises(Unavailable, match="name another model"):
            checks.check_architecture("m", config, kind, types)


def graph(external=False):
    onnx = pytest.importorskip("onnx")
    weight = onnx.numpy_helper.from_array(np.ones((2, 2), np.float32), "w")
    if external:
        weight.data_location = onnx.TensorProto.EXTERNAL
        place = weight.external_data.add()
        place.key, place.value = "location", "/etc/passwd"
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    value = onnx.helper.make_tensor_value_info
    made = onnx.helper.make_graph(
        [node],
        "g",
        [value("x", onnx.TensorProto.FLOAT, [1, 2])],
        [value("y", onnx.TensorProto.FLOAT, [1, 2])],
        [weight],
    )
    return onnx.helper.make_model(made)


def test_an_onnx_file_must_be_whole_and_hold_its_own_numbers(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(graph().SerializeToString())
    checks.check_onnx(path)
    path.write_bytes(graph(external=True).SerializeToString())
    with pytest.raises(Unavailable, match="external data"):
        checks.check_onnx(path)
    for data in (graph().SerializeToString()[:-7], b"", json.dumps(BERT).encode()):
        path.write_bytes(data)
        with pytest.raises(Unavailable, match="fetch the weights again"):
            checks.check_onnx(path)


def test_external_data_is_found_in_nodes_and_their_subgraphs(tmp_path):
    onnx = pytest.importorskip("onnx")
    inner = graph(external=True).graph
    value = onnx.helper.make_tensor_value_info("c", onnx.TensorProto.BOOL, [])
    node = onnx.helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    outer = onnx.helper.make_graph([node], "o", [value], [inner.output[0]])
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.helper.make_model(outer).SerializeToString())
    with pytest.raises(Unavailable, match="external data"):
        checks.check_onnx(path)
