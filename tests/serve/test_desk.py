"""A desk that nobody gave anything: no keys, no prices, and nowhere to keep either."""

import pytest

from stepdown.core.calls import Usage
from stepdown.core.keys import KeyRing, NewKey
from stepdown.errors import UsageError
from stepdown.serve.desk import Desk


def test_an_empty_desk_has_no_keys_and_knows_no_price():
    desk = Desk()
    assert desk.keys(None) == KeyRing()
    assert desk.keys(0) is None
    assert desk.price("frontier", "gpt-4o", Usage(1, 1)) is None
    assert desk.purse is None


def test_an_empty_desk_makes_and_revokes_none():
    with pytest.raises(UsageError, match="stepdown keys"):
        Desk().add(NewKey("a"))
    with pytest.raises(UsageError, match="stepdown keys"):
        Desk().revoke("a")
