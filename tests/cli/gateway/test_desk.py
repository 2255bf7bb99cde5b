"""What a gateway is given: the workspace's keys, and a plane where there is a secret."""

import pytest

from stepdown.cli.gateway.desk import desk_of, plane_of
from stepdown.cli.options import Session
from stepdown.config import AdminConfig, Config
from stepdown.core.keys import NewKey
from stepdown.store.spend import SqlitePurse
from stepdown.workspace import Workspace


def test_keys_are_made_and_revoked_in_the_workspace(tmp_path):
    purse = SqlitePurse(tmp_path / "spend.db")
    desk = desk_of(Session(Workspace(tmp_path), Config()), purse)
    assert desk.keys(None).keys == ()
    whole, key = desk.add(NewKey("team"))
    assert whole.startswith(f"sd-{key.id}-")
    assert desk.keys(0).keys == (key,)
    assert desk.revoke("team").revoked
    assert desk.purse is purse


@pytest.mark.parametrize(
    ("own", "secret", "there"),
    [
        (None, "a-long-enough-secret", False),
        (AdminConfig(), "", False),
        (AdminConfig(), "  ", False),
        (AdminConfig(port=9), "a-long-enough-secret", True),
    ],
)
def test_there_is_no_plane_without_a_section_and_a_secret(own, secret, there, monkeypatch):
    monkeypatch.setenv("STEPDOWN_ADMIN_SECRET", secret)
    plane = plane_of(Config(admin=own))
    assert (plane is not None) is there
    assert plane is None or (plane.secret, plane.port) == ("a-long-enough-secret", 9)
