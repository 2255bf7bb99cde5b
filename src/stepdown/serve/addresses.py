"""Where an upstream's name may lead: not into the private network, unless its operator said so.

An address that stands plainly in the configuration, loopback or private, is the operator's word,
and so is a name that no public DNS serves. What is guarded is a public name: whoever runs its DNS
could point it at a machine behind the gateway, and change that at any time. So each new connection
goes to an address that was checked for it, and to no other. Metadata services are no upstream.
"""

import asyncio
import ipaddress
import math
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

__all__ = ["AddressRefused", "CheckedResolver", "host_problem", "is_ours"]

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_PRIVATE_ZONES = (".localhost", ".local", ".internal", ".home.arpa", ".lan")
_METADATA = frozenset(
    ipaddress.ip_address(one)
    for one in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
    )
)
"""Where clouds hand out a machine's own credentials."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class AddressRefused(OSError):
    """A name leads where it must not; the client reports it as a connection that failed."""


class CheckedResolver(AbstractResolver):
    """Resolves names for one upstream and leaves out every address that it may not have.

    The connection is made to what this returns: nothing looks the name up again in between.
    """

    def __init__(self, allow_private: bool, patience_s: float = math.inf) -> None:
        self._allow_private = allow_private
        self._patience_s = patience_s

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name.

        Raises:
            AddressRefused: it has addresses, and none is allowed.
            OSError: it has none, or nobody says which within the time that there is for it.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._patience_s):
                infos = await loop.getaddrinfo(
                    host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
                )
        except TimeoutError as late:
            raise OSError(f"{host} was not resolved within {self._patience_s:g} s") from late
        trusted = self._allow_private or is_ours(host)
        found = [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=family,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for family, _, proto, _, address in infos
            if _allowed(str(address[0]), trusted)
        ]
        if infos and not found:
            raise AddressRefused(
                f"{host} leads to a private address; if it is meant to, set allow_private = true "
                "for this tier"
            )
        return found

    async def close(self) -> None:
        """Have nothing to let go of."""


def host_problem(host: str, allow_private: bool) -> str:
    """Say why the host of a configured address can't be an upstream's, or ""."""
    try:
        address = _unwrapped(ipaddress.ip_address(host))
    except ValueError:
        if _is_disguised(host):
            return "write the IP address in its plain form"
        return ""
    if address in _METADATA:
        return "a cloud's metadata service is no upstream"
    if address.is_unspecified or address.is_multicast:
        return "no machine has this address"
    if address.is_link_local and not allow_private:
        return "it is link-local; if it is meant to be, set allow_private = true for this tier"
    return ""


def is_ours(host: str) -> bool:
    """Say whether the operator alone names a host: by an address, or in no public zone."""
    name = host.rstrip(".").lower()
    return ":" in name or "." not in name or name.endswith(_PRIVATE_ZONES) or _is_address(name)


def _allowed(text: str, trusted: bool) -> bool:
    address = _unwrapped(ipaddress.ip_address(text.partition("%")[0]))
    if address in _METADATA or address.is_multicast:
        return False
    return trusted or address.is_global


def _unwrapped(address: IpAddress) -> IpAddress:
    """Return the IPv4 address that an IPv6 one only wraps."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return inner or address
    return address


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_disguised(host: str) -> bool:
    """Say whether the system would read a host as an IPv4 address though it is no plain one."""
    try:
        socket.inet_aton(host.rstrip("."))
    except (OSError, UnicodeError, ValueError):
        return False
    return True
