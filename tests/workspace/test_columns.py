"""Noted columns."""

import pytest

from stepdown.errors import ArtefactError
from stepdown.workspace.columns import note_columns, read_columns


def test_the_last_word_on_a_source_stands(tmp_path):
    path = tmp_path / "columns.json"
    assert read_columns(path) == {}
    note_columns(path, ["a"], {})
    assert not path.exists()
    note_columns(path, ["a", "b"], {"input": "q"})
    note_columns(path, ["b"], {"input": "x"})
    assert read_columns(path) == {"a": {"input": "q"}, "b": {"input": "x"}}
    note_columns(path, ["a"], {})
    assert read_columns(path) == {"b": {"input": "x"}}


def test_what_is_damaged_is_told(tmp_path):
    (tmp_path / "columns.json").write_text("[")
    with pytest.raises(ArtefactError, match="audit the log again"):
        read_columns(tmp_path / "columns.json")
