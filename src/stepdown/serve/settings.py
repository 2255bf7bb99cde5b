"""What a gateway can be told: addresses, keys, and a bound for every size, count and duration."""

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from stepdown.core.ports import Complexity, Durability
from stepdown.core.redaction import Redaction
from stepdown.core.tiering import TaskType, Thresholds
from stepdown.errors import UsageError
from stepdown.serve.addresses import host_problem

__all__ = [
    "AdminPlane",
    "Endpoint",
    "Limits",
    "Routing",
    "Settings",
    "Timeouts",
    "Worker",
    "api_root",
    "checked",
    "is_loopback",
]

MIB = 1024 * 1024
_SHORTEST_SECRET = 16


class Limits(msgspec.Struct, frozen=True):
    """Sizes in bytes and counts; what exceeds one is refused with a clear answer, never kept.

    `upstream_bytes` bounds an answer that is read whole or assembled, `relayed_bytes` one that is
    only passed through, `line_bytes` one line of an SSE stream, `body_parts` the chunks of a
    request. So many `upstream_requests` may be under way to one upstream that a slow one does not
    fill the gateway, and so many `requests` in all of it; more are refused at once.
    """

    body_bytes: int = 4 * MIB
    body_parts: int = 50_000
    header_bytes: int = 32 * 1024
    header_count: int = 100
    connections: int = 2000
    requests: int = 1500
    upstream_bytes: int = 16 * MIB
    line_bytes: int = MIB
    relayed_bytes: int = 1024 * MIB
    upstream_connections: int = 500
    upstream_requests: int = 1000
    students_waiting: int = 64
    audits: int = 8
    conversations: int = 10_000
    known_keys: int = 10_000


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds. `header` and `body_idle` hold slow senders off, `write` slow readers.

    `first_byte` is for streams; a whole answer comes after its last token, so `answer` is longer.
    `deadline` is what all tries of one request share before its caller gets a first byte. `student`
    is what one prediction may take before the request goes upstream.
    """

    header: float = 5.0
    body_idle: float = 10.0
    body: float = 60.0
    write: float = 30.0
    keep_alive: float = 65.0
    connect: float = 2.0
    first_byte: float = 60.0
    answer: float = 600.0
    deadline: float = 600.0
    idle: float = 15.0
    student: float = 1.0
    commit: float = 0.25
    drain: float = 30.0
    poll: float = 0.5
    known_key: float = 3600.0
    conversation: float = 3600.0


class Endpoint(msgspec.Struct, frozen=True):
    """Where a model is reached: an API root, the key for it, and the model's name there.

    Without a `model` the request's own name stands. `fallbacks` are asked in their order where this
    one gives no usable answer. `first_byte` and `answer` are its own timeouts; None: the usual.
    `allow_private` lets a public name lead to a private address. A `general` one takes calls of no
    known task, those with `tools` too unless that is False. `ask_usage` asks streams for their
    tokens where the caller doesn't; None: where the provider is known to answer that.
    """

    base_url: str
    api_key: str | None = None
    model: str | None = None
    fallbacks: tuple["Endpoint", ...] = ()
    first_byte: float | None = None
    answer: float | None = None
    general: bool = False
    tools: bool = True
    allow_private: bool = False
    ask_usage: bool | None = None


class Routing(msgspec.Struct, frozen=True):
    """How calls of no known task are put to tiers: by their score, where it parts the tiers.

    Without a score everything goes to the frontier; `problem` says why there is none, where one was
    asked for. `compare_share` of the calls that could go either way are asked of another tier as
    well, after the caller was served.
    """

    complexity: Complexity | None = None
    thresholds: Thresholds = Thresholds()
    types: Mapping[TaskType, Thresholds] = {}
    compare_share: float = 0.0
    problem: str = ""


class Worker(msgspec.Struct, frozen=True):
    """One of several processes on a port: its number, the socket (a descriptor) that ends when its
    parent wants it to or is dead, and the folder where the workers meet."""

    number: int
    lifeline: int
    folder: str


class AdminPlane(msgspec.Struct, frozen=True):
    """The plane of administration: where it listens, and the secret that it takes.

    Off loopback it is only with `allow_remote`, and `hosts` are the names that it is reached by
    there, with their ports.
    """

    secret: str
    host: str = "127.0.0.1"
    port: int = 8788
    allow_remote: bool = False
    hosts: tuple[str, ...] = ()

    def own_hosts(self) -> tuple[str, ...]:
        """Return what a Host header may say where something is changed."""
        names = ("127.0.0.1", "localhost", "[::1]", self.host)
        return (*(f"{name}:{self.port}" for name in names), *self.hosts)


class Settings(msgspec.Struct, frozen=True):
    """All of a gateway's settings.

    `base_url` is the upstream's API root, with or without `/v1`; None: students only. With an
    `api_key` that key is sent upstream, otherwise the caller's own. `frontier_model` is asked for
    when the caller named none (`auto`, `stepdown/<task>`). `fallbacks` are asked, in their order,
    where the upstream gives no usable answer; a key goes to its own address alone, so they get
    their own or none. `messages` is where Anthropic's dialect goes, if elsewhere. `mid` is the
    model behind students whose certificate counts on one, and takes calls of no known task, as
    `small` does, where `routing` sends them there. With `client_keys` a caller has to present one
    of them, or a virtual key; with `keys_required` as well, even when there are none yet. `admin`
    is the plane of administration, where there is one. The models behind may cost
    `max_usd_per_hour` in all; an answer whose request does not say how long it may be is counted on
    to have `max_output_tokens`. `audit_share` of the confident answers is asked of the upstream as
    well, after the caller has been served. `verbose` writes one line a request to stderr. A call
    that the upstream answered with a passing failure is tried again up to `retries` times. What
    can't be captured is answered all the same, or with `refuses_uncaptured` by a 503; with that, or
    where `durability` promises the disk, a gateway that can't capture is not ready. `redact` names
    the kinds of text that are taken out of what is captured, with the forms of `regions`.
    `allow_private` lets the upstream's name, though a public one, lead to a private address.
    `worker` says which of several this is, if any. `access_log` is a file that gets a line of JSON
    for each request ("-": standard output), `otlp_endpoint` a collector that gets a span of
    `trace_share` of those whose callers have not decided it.
    """

    host: str = "127.0.0.1"
    port: int = 8787
    base_url: str | None = None
    api_key: str | None = None
    frontier_model: str | None = None
    fallbacks: tuple[Endpoint, ...] = ()
    messages: Endpoint | None = None
    mid: Endpoint | None = None
    small: Endpoint | None = None
    routing: Routing = Routing()
    client_keys: tuple[str, ...] = ()
    keys_required: bool = False
    admin: AdminPlane | None = None
    max_usd_per_hour: float | None = None
    max_output_tokens: int = 16_384
    audit_share: float = 0.0
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    verbose: bool = False
    retries: int = 2
    refuses_uncaptured: bool = False
    durability: Durability = "journal"
    redact: tuple[str, ...] = ("credentials",)
    regions: tuple[str, ...] = ()
    allow_private: bool = False
    ask_usage: bool | None = None
    worker: Worker | None = None
    access_log: str | None = None
    otlp_endpoint: str | None = None
    trace_share: float = 1.0

    @property
    def redaction(self) -> Redaction:
        """What is taken out of what is captured."""
        return Redaction(self.redact, self.regions)

    @property
    def frontier(self) -> Endpoint | None:
        """The frontier's first address with what belongs to it, if there is one."""
        if self.base_url is None:
            return None
        return Endpoint(
            self.base_url,
            self.api_key,
            fallbacks=self.fallbacks,
            allow_private=self.allow_private,
            ask_usage=self.ask_usage,
        )

    def endpoints(self) -> list[Endpoint]:
        """Return every address that requests may go to."""
        return list(self.named().values())

    def named(self) -> dict[str, Endpoint]:
        """Return every address that requests may go to, by its place in the configuration."""
        tiers = {
            "frontier": self.frontier,
            "frontier.messages": self.messages,
            "mid": self.mid,
            "small": self.small,
        }
        return {
            f"[tiers.{name}]{f' fall-back {number}' if number else ''}": one
            for name, tier in tiers.items()
            if tier is not None
            for number, one in enumerate((tier, *tier.fallbacks))
        }

    def secrets(self) -> list[str]:
        """Return every key that the gateway holds."""
        found = [*self.client_keys, *(one.api_key for one in self.endpoints())]
        found.append(self.admin and self.admin.secret)
        return [key for key in found if key]

    @property
    def answers_known_keys_only(self) -> bool:
        """Whether a caller's own key must have been accepted upstream before a student answers.

        Otherwise anyone on the network could read out what the students know.
        """
        return not (
            is_loopback(self.host) or self.client_keys or self.keys_required or self.api_key
        )


def checked(settings: Settings) -> Settings:
    """Return the settings when they make sense together.

    Raises:
        UsageError: the upstream's address is not one, or anyone on the network could use the
            gateway without a key.
    """
    for place, one in settings.named().items():
        api_root(one.base_url, one.allow_private, f" of {place}")
    if settings.otlp_endpoint is not None and not _is_http(settings.otlp_endpoint):
        raise UsageError(
            f"The OpenTelemetry endpoint {_shown(settings.otlp_endpoint)!r} is no HTTP address; "
            "give one such as http://127.0.0.1:4318."
        )
    admin = settings.admin
    if admin is not None and not (is_loopback(admin.host) or admin.allow_remote):
        raise UsageError(
            f"On {admin.host} the admin plane is open to the network; bind it to 127.0.0.1, or say "
            "allow_remote = true in [admin] of stepdown.toml."
        )
    if admin is not None and len(admin.secret) < _SHORTEST_SECRET:
        raise UsageError(
            f"The admin secret has fewer than {_SHORTEST_SECRET} characters; take a longer one, "
            "such as `openssl rand -hex 32` prints."
        )
    has_keys = settings.client_keys or settings.keys_required
    messages = settings.messages
    passes_keys_on = (
        settings.base_url is not None
        and settings.api_key is None
        and (messages is None or messages.api_key is None)
    )
    if not (is_loopback(settings.host) or has_keys or passes_keys_on):
        raise UsageError(
            f"On {settings.host} anyone could use this gateway; give it keys (`stepdown keys add "
            "NAME`), let callers send their own upstream keys, or bind it to 127.0.0.1."
        )
    return settings


_API_ADDRESS = re.compile(r"(?i:https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?(/[!-~]*)?")


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _shown(address: str) -> str:
    """Return an address as it may be told: a user and password, or a query, may be secrets."""
    plain = address.partition("?")[0]
    before, at, host = plain.rpartition("@")
    scheme = before[: before.find("//") + 2] if "//" in before else ""
    return (f"{scheme}…@{host}" if at else plain)[:200]


def api_root(base_url: str, allow_private: bool = False, of: str = "") -> str:
    """Return the root that API paths are appended to: `/v1` is added to an address without a path.

    `of` says in what is raised whose address it is.

    Raises:
        UsageError: it is not an http(s) address, it holds a user, a query or a fragment, or no
            upstream can be there.
    """
    sound = _API_ADDRESS.fullmatch(base_url) is not None
    try:
        parts = urlsplit(base_url)
        sound = sound and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
        parts = urlsplit("")
    if not sound or parts.query or parts.fragment or "\\" in base_url or "/.." in parts.path:
        raise UsageError(
            f"The upstream {_shown(base_url)!r}{of} is not an API address; "
            "give one such as https://api.openai.com/v1, without a user or a query."
        )
    problem = host_problem(parts.hostname or "", allow_private)
    if problem:
        raise UsageError(f"The upstream {_shown(base_url)!r}{of} is refused: {problem}.")
    path = parts.path.rstrip("/") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach a server bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
