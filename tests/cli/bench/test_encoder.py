"""The encoder's benchmark measures what it says, on a small set and with the real weights."""

import pytest
from tests.cli.bench.small import labelled, write_set

from stepdown.cli.bench import encoder as bench
from stepdown.core.ports import silent
from stepdown.errors import Unavailable
from stepdown.students.weights import find_weights

pytest.importorskip("onnxruntime")
try:
    find_weights("minilm-l6")
except Unavailable as missing:
    pytest.skip(str(missing), allow_module_level=True)


def test_accuracy_and_latency_are_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "ROUNDS", 40)
    write_set(tmp_path, "banking77", labelled(400))
    write_set(tmp_path, "clinc150", labelled(300))
    banking, clinc, latency = bench.encoder(tmp_path, silent)
    assert banking.number > 90
    assert clinc.number > 90
    assert latency.number > 0
    assert "int8 products" in latency.note
    assert "20 tokens" in latency.name
