"""S-5: an upstream's name leads where its operator meant, at every connection, or nowhere."""

import asyncio
import socket
import time
from contextlib import closing

import pytest
from tests.serve.conftest import FakeUpstream

from stepdown.errors import UsageError
from stepdown.serve.addresses import AddressRefused, CheckedResolver, is_ours
from stepdown.serve.settings import Endpoint, Settings, api_root, checked

PRIVATE = (
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.1.1",
    "0.0.0.0",
    "198.18.0.1",
    "::1",
    "fe80::1",
    "fc00::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
)
METADATA = (
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
)
PUBLIC = ("93.184.216.34", "2606:2800:220:1::1")
DISGUISED = (
    "2130706433",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "127.1",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
)


def url_of(address, port=""):
    return f"http://[{address}]{port}" if ":" in address else f"http://{address}{port}"


@pytest.fixture
def dns(monkeypatch):
    """A name server of our own: dns["name"] = addresses, or a list of such, one a look-up."""
    known = {}
    true_getaddrinfo = socket.getaddrinfo

    def getaddrinfo(host, port, *more, **options):
        if host not in known:
            return true_getaddrinfo(host, port, *more, **options)
        said = known[host]
        addresses = said.pop(0) if isinstance(said, list) and len(said) > 1 else said
        addresses = addresses[0] if isinstance(addresses, list) else addresses
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address in addresses
        ]

    async def on_a_loop(self, host, port, **options):
        return getaddrinfo(host, port)

    import uvloop

    monkeypatch.setattr(uvloop.Loop, "getaddrinfo", on_a_loop, raising=False)
    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", on_a_loop)
    return known


def resolved(host, allow_private=False):
    async def go():
        found = await CheckedResolver(allow_private).resolve(host, 443)
        return tuple(one["host"] for one in found)

    return asyncio.run(go())


@pytest.mark.parametrize("address", PRIVATE)
def test_s5_a_public_name_may_not_lead_to_a_private_address(dns, address):
    dns["api.example.com"] = (address,)
    with pytest.raises(AddressRefused, match="allow_private"):
        resolved("api.example.com")
    dns["api.example.com"] = (address, PUBLIC[0])
    assert resolved("api.example.com") == (PUBLIC[0],)


@pytest.mark.parametrize("address", METADATA)
def test_s5_metadata_services_are_no_upstream_whatever_is_allowed(dns, address):
    with pytest.raises(UsageError, match="metadata"):
        api_root(url_of(address), allow_private=True)
    for name in ("api.example.com", "metadata.google.internal", "metadata"):
        dns[name] = (address,)
        with pytest.raises(AddressRefused):
            resolved(name, allow_private=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_nobodys_worry(dns, address):
    dns["api.example.com"] = (address,)
    assert resolved("api.example.com") == (address,)


@pytest.mark.parametrize(
    "name", ["localhost", "ollama", "vllm.prod.internal", "box.local", "a.lan."]
)
def test_a_name_of_no_public_zone_is_the_operators_word(dns, name):
    dns[name] = ("10.1.2.3",)
    assert resolved(name) == ("10.1.2.3",)


@pytest.mark.parametrize(
    "name", ["api.example.com", "local.example.com", "internal.com", "x.localx"]
)
def test_other_names_are_not(name):
    assert not is_ours(name)


@pytest.mark.parametrize("address", DISGUISED)
def test_s5_addresses_in_disguise_are_refused(address):
    with pytest.raises(UsageError, match="plain form"):
        api_root(f"http://{address}:8000/v1", allow_private=True)


@pytest.mark.parametrize(
    "given",
    [
        "http://u@h",
        "http://api.openai.com@127.0.0.1/v1",
        "http://api.openai.com\\@evil.example/v1",
        "http://h/v1\r\nx-a: b",
        "http://h\r\nx-a: b/v1",
        "http://h\t/v1",
        "http://h%2eevil/v1",
        "http://h%0d%0a/v1",
        "http://h/v1/../../admin",
        "http://h/v1\\..\\admin",
        "http://１２７.0.0.1/v1",
        "http://127。0。0。1/v1",
        "http://ⓛocalhost/v1",
        "http://[fe80::1%25eth0]/v1",
        "http://h:80:90/v1",
        "http:///v1",
        "//h/v1",
        "gopher://h/v1",
    ],
)
def test_s5_tricks_in_an_address_are_refused(given):
    for settings in (Settings(base_url=given), Settings(mid=Endpoint(given, "key"))):
        with pytest.raises(UsageError, match="not an API address"):
            checked(settings)


def test_s5_link_local_and_empty_addresses():
    for address in ("169.254.9.9", "fe80::1"):
        with pytest.raises(UsageError, match="allow_private"):
            api_root(url_of(address))
        assert api_root(url_of(address), allow_private=True)
    for address in ("0.0.0.0", "::", "224.0.0.1"):
        with pytest.raises(UsageError, match="no machine"):
            api_root(url_of(address), allow_private=True)


def test_s5_a_name_that_turns_private_gets_no_connection_and_no_key(
    start, world, dns, complete, body, ask, wait
):
    with closing(FakeUpstream()) as canary:
        dns["api.example.com"] = [PUBLIC[:1], ("127.0.0.1",)]
        start(base_url=f"http://api.example.com:{canary.port}", api_key="sk-gateways-own-key")
        refused = "allow_private"
        wait(lambda: refused in complete(body("hm")).json()["error"]["message"])
        reply = complete(body("hm"), {"authorization": "Bearer sk-callers-key"})
        assert (reply.status, reply.json()["error"]["code"]) == (503, "upstream_unavailable")
        assert ask("POST", "/v1/embeddings", {"model": "m"}).status == 503
        assert complete(body("hello")).status == 200  # students are not affected
        assert canary.seen == []


def test_a_name_that_may_be_private_is_reached(start, dns, upstream, complete, body):
    dns["api.example.com"] = ("127.0.0.1",)
    start(base_url=f"http://api.example.com:{upstream.port}", allow_private=True)
    assert complete(body("hm")).status == 200


def test_s5_the_model_behind_is_held_to_the_same_rule(dns):
    mid = Endpoint("http://169.254.169.254/v1", "key", allow_private=True)
    with pytest.raises(UsageError, match="metadata"):
        checked(Settings(mid=mid))


TARGETS = (
    "http://{canary}/v1/embeddings",
    "//{canary}/v1/embeddings",
    "/v1/@{canary}/embeddings",
    "/v1//{canary}/embeddings",
    "/v1/http://{canary}/x",
    "/v1/..//{canary}/x",
    "/v1/%2e%2e/%2e%2e/x",
    "/v1/a/%2e%2e%2f%2e%2e/x",
    "/v1/../../x",
    "/v1/embeddings?api_base=http://{canary}",
    "/%76%31/embeddings",
    "@{canary}/v1/embeddings",
    "/v1\\@{canary}/x",
    "/v1/x#@{canary}/y",
    "http://{canary}",
)


def test_s5_no_target_of_a_request_takes_the_key_elsewhere(start, world, ask):
    with closing(FakeUpstream()) as canary:
        start(base_url=f"{world.upstream.url}/team/v1", api_key="sk-gateways-own-key")
        for target in TARGETS:
            asked = target.format(canary=f"127.0.0.1:{canary.port}")
            assert ask("POST", asked, b"{}").status < 500, target
        assert canary.seen == []
        # Nor to other paths of the same host than those of its API.
        assert all(path.startswith("/team/v1/") for _, path, _, _ in world.upstream.seen)
        assert not any(".." in path or "%2e" in path for _, path, _, _ in world.upstream.seen)


def test_r2_a_name_that_nobody_resolves_in_time_is_left(monkeypatch):
    def slow(*given, **more):
        time.sleep(1.0)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)

    async def go():
        began = time.monotonic()
        with pytest.raises(OSError, match="not resolved within"):
            await CheckedResolver(False, 0.1).resolve("slow.example", 443)
        return time.monotonic() - began

    assert asyncio.run(go()) < 0.8
