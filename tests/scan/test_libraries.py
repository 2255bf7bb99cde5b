"""The tables of libraries."""

from stepdown.scan.libraries import CLIENTS, METHODS, WRAPPERS


def test_every_client_has_methods():
    assert {*CLIENTS.values(), *WRAPPERS.values()} <= METHODS.keys()
