"""Data sets are read whole or by split, and only newlines end a row."""

import pytest
from tests.cli.bench.small import write_set

from stepdown.cli.sets import read_set
from stepdown.errors import InputError


def test_rows_of_one_split_with_odd_line_separators(tmp_path):
    rows = [{"text": "a\u2028b", "split": "train"}, {"text": "c", "split": "test"}]
    write_set(tmp_path, "odd/file", rows)
    assert list(read_set(tmp_path, "odd/file")) == rows
    assert list(read_set(tmp_path, "odd/file", "test")) == rows[1:]


def test_a_missing_set_is_named(tmp_path):
    with pytest.raises(InputError, match="odd"):
        list(read_set(tmp_path, "odd"))
