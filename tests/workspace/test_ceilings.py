"""`ceiling.json`: written whole, read back, refused when it is something else."""

import pytest

from stepdown.core.ceilings import ceiling_of
from stepdown.errors import ArtefactError
from stepdown.workspace.ceilings import publish_ceiling, read_ceiling


def test_a_ceiling_is_published_and_read(tmp_path):
    path = tmp_path / "t" / "ceiling.json"
    assert read_ceiling(path) is None
    made = ceiling_of([({"/a": 1, "/b": 2}, {"/a": 1, "/b": 3})] * 30, "m", "now")
    publish_ceiling(path, made)
    assert read_ceiling(path) == made
    path.write_bytes(b"[]")
    with pytest.raises(ArtefactError, match="measure again"):
        read_ceiling(path)
