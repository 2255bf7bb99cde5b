"""One text, one forward pass, the same states whoever else asks."""

import threading

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from tests.reliability.hostile_files import outside_graph

from stepdown.errors import ArtefactError
from stepdown.students.encoder.session import MOST_WINDOWS, WINDOW, Session, open_session


def test_a_state_for_each_piece_and_where_it_stands(session):
    found = session.encode("my card is lost")
    assert found.states.shape == (4, session.size)
    assert [("my card is lost"[a:b]) for a, b in found.places] == ["my", "card", "is", "lost"]
    assert found.pooled.shape == (session.size,)
    assert np.isfinite(found.states).all()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_encoded(session, text):
    found = session.encode(text)
    assert np.isfinite(found.states).all()
    assert len(found.states) == len(found.places)


def test_a_long_text_is_read_in_windows_and_only_so_far(session):
    text = "card pin lost loan " * 2000
    found = session.encode(text)
    assert len(found.states) == MOST_WINDOWS * (WINDOW - 2)
    assert len(found.places) == len(found.states)


def test_c8_threads_and_order_change_nothing(session):
    texts = [f"card {n} loan" for n in range(20)]
    alone = [session.encode(text).pooled for text in texts]
    seen = {}

    def ask(mine):
        for text in mine:
            seen[text] = session.encode(text).pooled

    threads = [threading.Thread(target=ask, args=(texts[at::3][::-1],)) for at in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for text, wanted in zip(texts, alone, strict=True):
        assert np.array_equal(seen[text], wanted)


def test_the_same_bytes_are_one_session(session):
    assert open_session(session.model, session.tokenizer) is open_session(
        session.model, session.tokenizer
    )


def test_damage_is_refused(session):
    with pytest.raises(ArtefactError, match="graph can't be loaded"):
        Session(session.model[: len(session.model) // 2], session.tokenizer)
    with pytest.raises(ArtefactError, match="tokenizer can't be read"):
        Session(session.model, b"{}")


def test_a_graph_with_other_outputs_or_data_elsewhere_is_refused(session, tmp_path):
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["T"])
    out = helper.make_tensor_value_info("other", TensorProto.INT64, ["T"])
    node = helper.make_node("Identity", ["ids"], ["other"])
    made = helper.make_model(
        helper.make_graph([node], "g", [ids], [out]),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=9,
    )
    with pytest.raises(ArtefactError, match="other outputs"):
        Session(made.SerializeToString(), session.tokenizer)
    model = onnx.load_from_string(session.model)
    onnx.save(
        model,
        tmp_path / "m.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    with pytest.raises(ArtefactError, match="graph can't be loaded"):
        Session((tmp_path / "m.onnx").read_bytes(), session.tokenizer)


@pytest.mark.parametrize("location", [b"beside.bin", b"../beside.bin", b"/etc/passwd"])
def test_m3_a_graph_finds_no_files_beside_the_process(tmp_path, monkeypatch, session, location):
    (tmp_path / "below").mkdir()
    for folder in (tmp_path, tmp_path / "below"):
        (folder / "beside.bin").write_bytes(bytes(64))
    monkeypatch.chdir(tmp_path / "below")
    with pytest.raises(ArtefactError, match=r"[Ee]xternal data path"):
        Session(outside_graph(location), session.tokenizer)
