"""What a gateway counts, in Prometheus' text format.

Labels are of closed sets (tasks come from the workspace, never from a caller), so their number is
bounded; no text of a prompt, no key and no model name stands in any of them.
"""

from collections.abc import Callable, Iterable

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

from stepdown.core.routes import Decision

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

Look = Callable[[], dict[str, float]]
"""look() → gauges by name, as they are when somebody asks."""


class _Looked(Collector):
    """Gauges that are looked up when they are asked for, so that nothing has to keep them."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def collect(self) -> Iterable[Metric]:
        for name, value in self._look().items():
            yield GaugeMetricFamily(f"stepdown_{name}", _HELP.get(name, name), value)


_HELP = {
    "generation": "Generation of the policy that is served.",
    "uptime_seconds": "Seconds since the gateway's start.",
    "draining": "1 while the gateway is shutting down.",
    "students_off": "Students that are switched off for their faults.",
    "upstream_held_back": "1 while the breaker keeps requests from the upstream.",
    "upstream_retries": "Calls that the upstream was asked again since the start.",
    "upstream_fallbacks": "Calls that a fall-back was asked since the start.",
    "upstream_under_way": "Requests to the upstream that are not finished.",
    "capture_waiting": "Captured exchanges that are not on disk yet.",
    "capture_behind": "Captured exchanges that the shared store has not got yet.",
    "capture_moved": "Captured exchanges moved to the shared store since the start.",
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
        self._under_way = Gauge(
            "stepdown_requests_under_way", "Requests that are not answered.", registry=self.registry
        )
        self._counted: dict[tuple[str, ...], tuple[Counter, Histogram]] = {}
        self.registry.register(_Looked(look))
        ProcessCollector(registry=self.registry)

    def began(self) -> None:
        """Count a request as under way."""
        self._under_way.inc()

    def ended(self, decision: Decision | None, task: str, status: int, seconds: float) -> None:
        """Count a request that was decided on; others (probes, wrong paths) are not counted."""
        self._under_way.dec()
        if decision is None:
            return
        shown = str(status or 499)
        labels = (task, decision.tier, decision.kind, decision.reason, shown)
        counted = self._counted.get(labels)
        if counted is None:
            # Looking a child up by its labels costs more than counting with it.
            counted = self._counted[labels] = (
                self._requests.labels(*labels),
                self._seconds.labels(decision.tier, decision.kind),
            )
        counted[0].inc()
        counted[1].observe(seconds)

    def page(self) -> bytes:
        """Return all of it as text."""
        return generate_latest(self.registry)
