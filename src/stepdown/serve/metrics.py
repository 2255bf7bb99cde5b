"""What a gateway counts, in Prometheus' text format.

Labels are of closed sets (tasks come from the workspace, never from a caller), so their number is
bounded; no text of a prompt, no key and no model name stands in any of them.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stepdown.core.calls import Usage
from stepdown.core.routes import Decision
from stepdown.serve.headers import REFUSED

__all__ = ["CONTENT_TYPE", "Gauges", "Metrics"]

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

_SHOWN = {status: str(status) for status in (200, 201, 202, 204, 400, 401, 403, 404, 405, 408, 409,
    413, 415, 422, 429, 431, 499, 500, 501, 502, 503, 504, 529)} | {0: "499"}  # fmt: skip
"""Statuses that stand in labels as they are; an upstream could send any other."""
_MOST_LABELS = 800
_OTHER = "(other)"
"""The task of a request once there are so many label sets."""

Gauges = dict[str, float | list[tuple[tuple[str, ...], float]]]
Look = Callable[[], Gauges]
"""look() → gauges by name, as they are when somebody asks: a value, or one by chain and address, or
by key."""


class _Refused(NamedTuple):
    """What stands for the decision on a request that the gateway itself refused; its reason is the
    error's code, of which there are few."""

    reason: str
    kind: str = REFUSED
    tier: str = "none"


class _Looked(Collector):
    """Gauges that are looked up when they are asked for, so that nothing has to keep them."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def collect(self) -> Iterable[Metric]:
        for name, value in self._look().items():
            text = _HELP.get(name, name)
            if isinstance(value, list):
                labels = ("key",) if name.startswith("key_") else ("chain", "upstream")
                family = GaugeMetricFamily(f"stepdown_{name}", text, labels=labels)
                for told, one in value:
                    family.add_metric(told, one)
                yield family
            else:
                yield GaugeMetricFamily(f"stepdown_{name}", text, value)


_HELP = {
    "generation": "Generation of the policy that is served.",
    "uptime_seconds": "Seconds since the gateway's start.",
    "key_requests": "Requests of a virtual key since the start, by its public id.",
    "key_refused": "Requests of a virtual key that its limits refused since the start.",
    "key_spent_usd": "US dollars that a virtual key has spent here in the window of its limit.",
    "draining": "1 while the gateway is shutting down.",
    "students_off": "Students that are switched off, for their faults or by an operator.",
    "upstream_held_back": "1 while the breaker keeps requests from the upstream.",
    "upstream_retries": "Calls that the upstream was asked again since the start.",
    "upstream_fallbacks": "Calls that a fall-back was asked since the start.",
    "upstream_under_way": "Requests to the upstream that are not finished.",
    "breaker_open": "1 while the breaker keeps requests from this upstream.",
    "requests_at": "Requests to this upstream that are not finished.",
    "keys_asked": "Requests with virtual keys since the start.",
    "keys_refused": "Requests that a limit of their virtual key refused since the start.",
    "access_log_dropped": "Lines of the access log that did not fit into its queue.",
    "access_log_failed": "Lines of the access log that could not be written.",
    "spans_dropped": "Spans that did not fit into their queue.",
    "spans_failed": "Spans that the collector did not take.",
    "capture_committed": "Exchanges that were captured since the start.",
    "capture_waiting": "Captured exchanges that are not on disk yet.",
    "capture_waiting_bytes": "Bytes of the captured exchanges that are not on disk yet.",
    "capture_failing": "1 while what comes can't be captured: its disk fails, or too much waits.",
    "capture_behind": "Captured exchanges that the shared store has not got yet.",
    "capture_behind_bytes": "Bytes on disk of what the shared store has not got yet.",
    "capture_moved": "Captured exchanges moved to the shared store since the start.",
    "capture_store_failing": "1 while the shared store takes no captured exchanges.",
    "capture_dropped": "Exchanges that could not be captured since the start.",
    "capture_withheld": "Exchanges whose content was dropped, since redaction failed on them.",
}


class Metrics:
    """The counters of one gateway, with a registry of their own."""

    def __init__(self, look: Look) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "stepdown_requests",
            "Requests, by what became of them.",
            ("task", "tier", "decision", "reason", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "stepdown_request_seconds",
            "From a request's arrival to its last byte.",
            ("tier", "decision"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._under_way = 0
        Gauge(
            "stepdown_requests_under_way", "Requests that are not answered.", registry=self.registry
        ).set_function(lambda: self._under_way)
        self._tokens = Counter(
            "stepdown_tokens",
            "Tokens of answered calls, of those that told them; a student's are estimates.",
            ("tier", "kind"),
            registry=self.registry,
        )
        self._first_byte = Histogram(
            "stepdown_first_byte_seconds",
            "From a request's arrival to the first byte of its upstream's stream.",
            ("tier",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._counted: dict[tuple[str, ...], tuple[Counter, Histogram]] = {}
        self._told: dict[str, tuple[Counter, Counter]] = {}
        self.registry.register(_Looked(look))
        ProcessCollector(registry=self.registry)

    def began(self) -> None:
        """Count a request as under way."""
        self._under_way += 1

    def ended(
        self,
        decision: Decision | None,
        task: str,
        status: int,
        seconds: float,
        problem: str = "",
    ) -> None:
        """Count a request that was decided on, or refused, which `problem` says; probes and lists
        are not counted."""
        self._under_way -= 1
        if decision is None and not problem:
            return
        shown = _SHOWN.get(status) or f"{status // 100}xx"
        told = decision or _Refused(problem)
        labels = (task, told.tier, told.kind, told.reason, shown)
        counted = self._counted.get(labels)
        if counted is None and len(self._counted) >= _MOST_LABELS:
            labels = (_OTHER, told.tier, told.kind, told.reason, shown)
            counted = self._counted.get(labels)
        if counted is None:
            # Looking a child up by its labels costs more than counting with it.
            counted = self._counted[labels] = (
                self._requests.labels(*labels),
                self._seconds.labels(told.tier, told.kind),
            )
        counted[0].inc()
        counted[1].observe(seconds)

    def told(self, tier: str, usage: Usage) -> None:
        """Count the tokens of an answer."""
        counted = self._told.get(tier)
        if counted is None:
            counted = self._told[tier] = (
                self._tokens.labels(tier, "input"),
                self._tokens.labels(tier, "output"),
            )
        counted[0].inc(usage.input_tokens)
        counted[1].inc(usage.output_tokens)

    def began_to_answer(self, tier: str, seconds: float) -> None:
        """Count how long a stream's first byte took."""
        self._first_byte.labels(tier).observe(seconds)

    def page(self) -> bytes:
        """Return all of it as text."""
        return generate_latest(self.registry)
