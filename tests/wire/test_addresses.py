"""Where an API is."""

from stepdown.wire.addresses import root_of


def test_an_address_without_a_path_is_v1():
    assert root_of("http://h:1") == root_of("http://h:1/") == root_of("http://h:1/v1/")
    assert root_of("http://h:1") == "http://h:1/v1"
    assert root_of("https://h/api/v2") == "https://h/api/v2"
