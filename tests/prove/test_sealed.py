"""The test part is handed out once (C-2)."""

import pytest

from stepdown.errors import Refusal
from stepdown.prove.sealed import SealedTest


def test_c2_the_second_opening_is_refused(world):
    sealed = SealedTest(world.rows(3))
    assert sealed.opened == 0
    assert list(sealed.open()) == world.rows(3)
    with pytest.raises(Refusal, match="opened already"):
        sealed.open()
    assert sealed.opened == 1
