"""The hand-built graph gives what the published architecture gives."""

import msgspec
import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file, save_file

from stepdown.errors import Unavailable
from stepdown.students.encoder.graph import bert_graph
from stepdown.students.weights import find_weights


def states(model, ids):
    import onnxruntime

    made = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.asarray(made.run(["states"], {"ids": np.array(ids, np.int64)})[0])


def test_it_is_a_sound_graph_of_one_text(folder):
    model = bert_graph(find_weights(str(folder)))
    onnx.checker.check_model(model)
    assert states(model, [2, 5, 6, 3]).shape == (4, 16)


def test_it_agrees_with_the_reference_implementation(folder):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig.from_pretrained(folder)
    reference = transformers.BertModel(config, add_pooling_layer=False).eval()
    own = {name: torch.from_numpy(a) for name, a in load_file(folder / "model.safetensors").items()}
    assert not reference.load_state_dict(own, strict=False).missing_keys
    model = bert_graph(find_weights(str(folder)))
    for ids in ([2, 3], [2, 5, 9, 7, 3], [2, *range(4, 40), 3]):
        with torch.no_grad():
            wanted = reference(torch.tensor([ids])).last_hidden_state[0].numpy()
        assert np.abs(states(model, ids) - wanted).max() < 1e-4


def test_weights_that_lack_a_tensor_are_no_encoder(folder, tmp_path):
    made = load_file(folder / "model.safetensors")
    del made["encoder.layer.1.output.dense.bias"]
    save_file(made, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(Unavailable, match="lack the tensor"):
        bert_graph(find_weights(str(tmp_path)))


def test_a_variant_that_the_graph_does_not_compute_is_refused(folder, tmp_path):
    weights = find_weights(str(folder))
    for change in ({"hidden_act": "relu"}, {"position_embedding_type": "relative_key"}):
        other = msgspec.structs.replace(weights, config={**(weights.config or {}), **change})
        with pytest.raises(Unavailable, match=next(iter(change))):
            bert_graph(other)
