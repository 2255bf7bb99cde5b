"""`gold.jsonl`: a line is on disk or was never there, and nothing is written over."""

import os

import pytest

from stepdown.core.gold import Gold
from stepdown.errors import ArtefactError
from stepdown.workspace.gold import add_gold, read_gold


def test_lines_are_added_and_read_back(tmp_path):
    path = tmp_path / "tasks" / "t" / "gold.jsonl"
    assert read_gold(path) == {}
    one, two = Gold("a", "accepted", {"": "é\n"}, who="ann", time=1.5), Gold("b", "none")
    add_gold(path, one)
    add_gold(path, two)
    assert read_gold(path) == {"a": one, "b": two}
    assert path.read_bytes().count(b"\n") == 2
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_half_a_line_is_no_line_wherever_it_was_cut(tmp_path):
    path = tmp_path / "gold.jsonl"
    add_gold(path, Gold("a", "accepted", {"": "x"}))
    whole = path.read_bytes()
    add_gold(path, Gold("b", "none"))
    both = path.read_bytes()
    for cut in range(len(whole), len(both)):
        path.write_bytes(both[:cut])
        assert set(read_gold(path)) == {"a"}
        add_gold(path, Gold("c", "none"))
        assert set(read_gold(path)) == {"a", "c"}


def test_a_line_that_is_none_is_refused(tmp_path):
    path = tmp_path / "gold.jsonl"
    path.write_bytes(b'{"item": "a"}\n')
    with pytest.raises(ArtefactError, match="mend the line"):
        read_gold(path)
