"""Asking a running gateway how it is: `/readyz` and `/metrics`, with little patience.

What another version of the gateway does not tell is unknown, never 0.
"""

import http.client
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from stepdown.errors import UpstreamError

__all__ = ["Standing", "UpstreamStanding", "look"]

_PATIENCE_S = 2.0
_LONGEST = 8 * 1024 * 1024
_OK = 200
_SAID = (_OK, 503)

Samples = Mapping[str, list[tuple[Mapping[str, str], float]]]


class UpstreamStanding(msgspec.Struct, frozen=True):
    """One upstream; `held_back` says that its breaker is open, `problem` is "" when it is well."""

    name: str
    address: str
    reachable: bool | None
    held_back: bool
    problem: str = ""


class Standing(msgspec.Struct, frozen=True):
    """How a gateway stands.

    `status` is `ready`, `draining` or what else `/readyz` says. `requests` are counted by tier
    since the start, `uptime_s` seconds ago. What `/metrics` alone tells is None where it may not be
    read, and `unread` says why. `problems` are sentences on what is not as it should be.
    """

    address: str
    status: str
    generation: int | None
    upstreams: tuple[UpstreamStanding, ...] = ()
    capture: Mapping[str, Any] = {}
    students_off: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    uptime_s: float | None = None
    memory_bytes: int | None = None
    requests: Mapping[str, int] | None = None
    unread: str = ""

    @property
    def per_second(self) -> dict[str, float] | None:
        """Requests a second by tier since the start."""
        if self.requests is None or not self.uptime_s:
            return None
        return {tier: count / self.uptime_s for tier, count in self.requests.items()}


def look(address: str, key: str = "") -> Standing:
    """Ask the gateway at `address`; `key` is one of its client keys, where it has any.

    Raises:
        UpstreamError: nobody answers there, or it is no gateway.
    """
    status, body = _get(address, "/readyz", key)
    ready = _object(body) if status in _SAID else None
    if ready is None or "status" not in ready:
        raise UpstreamError(f"What answers at {address} is no gateway; start `stepdown serve`.")
    status, page = _get(address, "/metrics", key)
    samples: Samples = _samples(page) if status == _OK else {}
    return Standing(
        address,
        str(ready["status"]),
        _whole(ready.get("generation")),
        tuple(_upstreams(ready)),
        _capture(_mapping(ready.get("capture")), samples),
        tuple(map(str, _items(ready.get("students_off")))),
        tuple(_problems(ready)),
        max(_values(samples, "stepdown_uptime_seconds"), default=None),
        _whole(sum(_values(samples, "process_resident_memory_bytes")) or None),
        _by_tier(samples) if samples else None,
        "" if samples else "its metrics want one of its client keys",
    )


def _get(address: str, path: str, key: str) -> tuple[int, bytes]:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", path, headers={"authorization": f"Bearer {key}"} if key else {})
        reply = connection.getresponse()
        return reply.status, reply.read(_LONGEST)
    except (OSError, http.client.HTTPException) as problem:
        raise UpstreamError(
            f"The gateway at {address} does not answer ({problem or type(problem).__name__}); "
            "look at its log, or start `stepdown serve` again."
        ) from problem
    finally:
        connection.close()


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _upstreams(ready: Mapping[str, Any]) -> Iterable[UpstreamStanding]:
    named = _mapping(ready.get("upstreams")) or {"upstream": ready.get("upstream")}
    for name, value in named.items():
        told = _mapping(value)
        if told.get("address"):
            reachable = told.get("reachable")
            yield UpstreamStanding(
                name,
                str(told["address"]),
                reachable if isinstance(reachable, bool) else None,
                bool(told.get("held_back")),
                str(told.get("problem") or ""),
            )


def _capture(told: Mapping[str, Any], samples: Samples) -> dict[str, Any]:
    """Return what is told of capture, its counts those of all workers where the metrics may be
    read: what answers `/readyz` is one of them."""
    every = {name: _values(samples, f"stepdown_capture_{name}") for name in told}
    return {**told, **{name: int(sum(found)) for name, found in every.items() if found}}


def _problems(ready: Mapping[str, Any]) -> Iterable[str]:
    for name in ("policy_problem", "keys_problem", "routing_problem"):
        if ready.get(name):
            yield str(ready[name])
    config = _mapping(ready.get("config"))
    if config.get("problem"):
        yield f"The changed configuration is not taken up: {config['problem']}"
    yield from map(str, _items(config.get("notes")))
    for task, problem in _mapping(ready.get("problems")).items():
        yield f"{task} goes upstream: {problem}"
    if error := _mapping(ready.get("capture")).get("error"):
        yield f"Capture: {error}"


def _samples(page: bytes) -> Samples:
    found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    try:
        families: Iterable[Metric] = text_string_to_metric_families(page.decode())
        for family in families:
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
    except ValueError:
        return {}
    return found


def _values(samples: Samples, name: str) -> list[float]:
    """Return the values of a gauge: several workers each tell their own."""
    return [value for _, value in samples.get(name, ())]


def _by_tier(samples: Samples) -> dict[str, int]:
    counted: dict[str, int] = dict.fromkeys(("small", "mid", "frontier"), 0)
    for labels, value in samples.get("stepdown_requests_total", ()):
        tier = labels.get("tier", "")
        if tier in counted:  # what was refused went to none
            counted[tier] += int(value)
    return counted


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _items(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _whole(value: Any) -> int | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return int(value) if known else None
