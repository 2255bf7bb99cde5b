"""The exported graph computes what was trained, for every architecture; rounding is judged."""

import numpy as np
import pytest
import torch

from stepdown.errors import Unavailable
from stepdown.students.encoder.quantise import is_quantised
from stepdown.students.tuned import export as exporting
from stepdown.students.tuned.base import load_base
from stepdown.students.tuned.export import agreement, export
from stepdown.students.tuned.network import Batch, Network
from stepdown.students.weights import find_weights

from .conftest import ARCHITECTURES

TEXTS = ["fly to rome from oslo", "please", "", " ".join(["my trip to lima"] * 100)]


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_graph_computes_what_was_trained(kind, folders, taught, cutter, lessons):
    base = load_base(find_weights(str(folders[kind])))
    torch.manual_seed(0)
    network = Network(base.encoder, taught.design, taught.spans)
    made = export(network, base.tokenizer, TEXTS, kind)
    assert made.rounded
    assert is_quantised(made.session.model)
    heads = made.heads
    with torch.no_grad():
        choices, _ = network(Batch(lessons[:20], 0, torch.device("cpu")))
    texts = [taught.rows.texts[lesson.row] for lesson in lessons[:20]]
    pooled = np.array([made.session.encode(text).pooled for text in texts])
    direction = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
    found = direction @ heads.choices + heads.choice_bias
    # Rounded to 8 bits, and still the same to within a few hundredths.
    assert np.abs(found - choices.numpy()).max() < 0.3


def test_a_graph_that_computes_something_else_is_refused(network, folder, monkeypatch):
    true_graph = exporting._graph

    def other(net, name):
        graph = true_graph(net, name)
        with torch.no_grad():
            net.encoder.embeddings.word_embeddings.weight.mul_(3)
        return graph

    monkeypatch.setattr(exporting, "_graph", other)
    with pytest.raises(Unavailable, match="does not compute"):
        export(network, (folder / "tokenizer.json").read_bytes(), TEXTS, "tiny")


def test_where_rounding_costs_decisions_the_exact_graph_is_kept(network, folder, monkeypatch):
    monkeypatch.setattr(exporting, "agreement", lambda *given: 0.5)
    made = export(network, (folder / "tokenizer.json").read_bytes(), TEXTS, "tiny")
    assert not made.rounded
    assert not is_quantised(made.session.model)


def test_a_session_agrees_with_itself(network, folder):
    made = export(network, (folder / "tokenizer.json").read_bytes(), TEXTS, "tiny")
    assert agreement(made.session, made.session, made.heads, TEXTS) == 1.0
    assert agreement(made.session, made.session, made.heads, [""]) == 1.0
