"""Quantised means integer products, and states that hardly differ."""

import numpy as np
import onnxruntime

from stepdown.students.encoder.graph import bert_graph
from stepdown.students.encoder.quantise import is_quantised, quantise
from stepdown.students.weights import find_weights


def run(data, ids):
    made = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return np.asarray(made.run(["states"], {"ids": np.array(ids, np.int64)})[0])


def test_the_products_are_of_integers_and_the_states_are_close(folder):
    exact = bert_graph(find_weights(str(folder)))
    small = quantise(exact)
    assert not is_quantised(exact.SerializeToString())
    assert is_quantised(small)
    ids = [2, *range(4, 30), 3]
    a, b = run(exact.SerializeToString(), ids), run(small, ids)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.mean() > 0.99


def test_the_same_model_gives_the_same_bytes(folder):
    weights = find_weights(str(folder))
    assert quantise(bert_graph(weights)) == quantise(bert_graph(weights))
