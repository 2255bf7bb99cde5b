"""A checkpoint comes back whole, random state and all; a damaged one is as good as none."""

import torch

from stepdown.students.tuned.checkpoint import Keeper, Place


def test_it_comes_back_with_the_random_state(tmp_path):
    keeper = Keeper(tmp_path / "scratch", "abc")
    assert keeper.last() is None
    torch.manual_seed(3)
    keeper.keep(Place(1, 2, 3, 0.5, 1), {"now.x": torch.arange(3.0)})
    expected = torch.rand(4)
    last = keeper.last()
    assert last is not None
    place, tensors = last
    assert place == Place(1, 2, 3, 0.5, 1)
    assert tensors["now.x"].tolist() == [0, 1, 2]
    assert torch.rand(4).tolist() == expected.tolist()
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["tuned-abc.safetensors"]


def test_a_damaged_file_is_none(tmp_path):
    keeper = Keeper(tmp_path, "abc")
    keeper.keep(Place(), {"now.x": torch.zeros(2)})
    whole = keeper.path.read_bytes()
    for damaged in (b"", whole[:40], whole[:-3], b"\x00" * 200):
        keeper.path.write_bytes(damaged)
        assert keeper.last() is None
    keeper.forget()
    assert not keeper.path.exists()


def test_without_a_folder_nothing_is_kept():
    keeper = Keeper(None, "abc")
    keeper.keep(Place(), {"now.x": torch.zeros(2)})
    assert keeper.last() is None
    keeper.forget()
