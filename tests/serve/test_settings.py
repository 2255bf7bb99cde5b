"""Settings that make no sense are one sentence, before anything is opened."""

import pytest

from stepdown.errors import UsageError
from stepdown.serve.settings import Endpoint, Settings, api_root, checked, is_loopback


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("http://h", "http://h/v1"),
        ("http://h/", "http://h/v1"),
        ("http://h:80/v1", "http://h:80/v1"),
        ("https://h/v1/", "https://h/v1"),
        ("https://h/api/openai", "https://h/api/openai"),
        ("http://[::1]:9", "http://[::1]:9/v1"),
    ],
)
def test_the_api_root_with_and_without_v1(given, root):
    assert api_root(given) == root


@pytest.mark.parametrize(
    "given",
    [
        "",
        "h",
        "ftp://h",
        "http://",
        "http://u:p@h",
        "http://h/?a=b",
        "http://h/#f",
        "http://h:x",
        "http://h:0",
        "http://h /v1",
        "http://[::1",
        "file:///etc/passwd",
    ],
)
def test_s5_what_is_no_api_address(given):
    with pytest.raises(UsageError, match="not an API address"):
        api_root(given)
    with pytest.raises(UsageError):
        checked(Settings(base_url=given))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("http://user:s3cret@h:9", "http://…@h:9"),
        ("http://user:s3/cr@et@h", "http://…@h"),
        ("user:s3cret@h", "…@h"),
        ("ftp://h?key=s3cret", "ftp://h"),
    ],
)
def test_s5_what_may_be_a_secret_is_not_told(given, shown):
    with pytest.raises(UsageError, match="not an API address") as told:
        checked(Settings(base_url="http://f", mid=Endpoint(given)))
    assert "s3" not in str(told.value)
    assert f"{shown!r} of [tiers.mid] is not" in str(told.value)


def test_the_place_of_an_address_is_told():
    with pytest.raises(UsageError, match=r"of \[tiers.frontier.messages\] fall-back 1 is not"):
        checked(Settings(messages=Endpoint("http://m", fallbacks=(Endpoint("h"),))))
    with pytest.raises(UsageError, match=r"of \[tiers.small\] is refused"):
        checked(Settings(small=Endpoint("http://169.254.169.254")))


@pytest.mark.parametrize(
    "given", ["notaurl", "collector:4318", "grpc://h:1", "http://", "http://h:x"]
)
def test_a_collector_has_an_http_address(given):
    with pytest.raises(UsageError, match="no HTTP address"):
        checked(Settings(otlp_endpoint=given))
    assert checked(Settings(otlp_endpoint="http://u:p@h:4318/otlp"))


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("127.9.9.9", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.org", False),
    ],
)
def test_loopback(host, loopback):
    assert is_loopback(host) == loopback


@pytest.mark.parametrize(
    ("changes", "allowed", "known_only"),
    [
        ({"base_url": "http://u"}, True, True),
        ({"base_url": "http://u", "api_key": "k"}, False, None),
        ({}, False, None),
        ({"client_keys": ("c",)}, True, False),
        ({"base_url": "http://u", "api_key": "k", "client_keys": ("c",)}, True, False),
    ],
)
def test_s2_on_a_network_nobody_gets_in_without_a_key(changes, allowed, known_only):
    settings = Settings(host="0.0.0.0", **changes)
    if allowed:
        assert checked(settings).answers_known_keys_only == known_only
    else:
        with pytest.raises(UsageError, match="anyone could use"):
            checked(settings)
    assert not checked(Settings(base_url="http://u")).answers_known_keys_only


def test_s2_a_key_of_ours_for_messages_alone_is_not_for_everyone():
    anthropic = Endpoint("http://a", "sk-ant-ours")
    with pytest.raises(UsageError, match="anyone could use"):
        checked(Settings(host="0.0.0.0", base_url="http://u", messages=anthropic))
    checked(Settings(base_url="http://u", messages=anthropic))
    checked(Settings(host="0.0.0.0", base_url="http://u", messages=Endpoint("http://a")))
    keyed = Settings(host="0.0.0.0", base_url="http://u", messages=anthropic, client_keys=("c",))
    assert checked(keyed) == keyed
