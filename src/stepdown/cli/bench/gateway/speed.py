"""What an answer costs: by a student, relayed, and streamed, beside nginx and the bare upstream."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from statistics import median

import numpy as np

from stepdown.cli.bench.client import Client
from stepdown.cli.bench.figures import Figure
from stepdown.cli.bench.gateway.ground import Ground, relayed_body, running
from stepdown.cli.bench.gateway.load import CONNECTIONS, Load, per_cpu_second, press
from stepdown.cli.bench.gateway.nginx import proxy
from stepdown.cli.bench.gateway.processes import Running
from stepdown.cli.bench.gateway.upstream import EVENTS, model_behind
from stepdown.core.ports import Progress
from stepdown.errors import Refusal

__all__ = ["beside_nginx", "relayed", "streams", "students"]

_SURE = "student answers per CPU-second"
_SURE_P50 = "student's answer, p50, ms"
_STREAMS = f"relayed {EVENTS}-chunk streams per CPU-second"
_NGINX = "nginx's proxy_pass, requests per CPU-second"
_NGINX_P50 = "nginx's proxy_pass, p50, ms"
_NGINX_THEN = 31_700
"""What nginx did on the machine that the targets were set on (DESIGN.md §5)."""

ROUNDS = 5
_PRESSED_S = 2
_EACH = 200
_WARM_S = 1


def students(found: Ground, progress: Progress) -> list[Figure]:
    """Measure sure answers of a linear student."""
    with model_behind() as upstream, running(found, upstream) as server:
        loads = _pressed((server,), found.sure, progress)[0]
        with Client(server.url, found.sure[0]) as client:
            times = [[client.post()[0] for _ in range(5 * _EACH)] for _ in range(ROUNDS)]
    p50, p99 = (median(float(np.quantile(one, q)) for one in times) for q in (0.5, 0.99))
    how = f"one connection, {ROUNDS} rounds of {5 * _EACH}"
    return [
        _rate(_SURE, loads, 4000, "stretch 5,000"),
        _latency(_SURE_P50, p50, 0.35, [np.quantile(t, 0.5) for t in times], how),
        _latency("student's answer, p99, ms", p99, 1.5, [np.quantile(t, 0.99) for t in times], how),
    ]


def relayed(found: Ground, progress: Progress) -> list[Figure]:
    """Measure whole answers from upstream, beside nginx in front of the same upstream."""
    body = relayed_body()
    with model_behind() as upstream, running(found, upstream) as ours:
        with (
            _nginx(found, upstream, kept=False) as plain,
            _nginx(found, upstream, kept=True) as kept,
        ):
            loads, theirs, best = _pressed((ours, plain, kept), [body], progress)
            with Client(plain.url, body) as client:
                slow = [median(client.post()[0] for _ in range(_EACH)) for _ in range(ROUNDS)]
        added = _added(ours.url, upstream, body, lambda client: client.post()[0])
    return [
        _share(
            "relayed, requests per CPU-second, against nginx's proxy_pass",
            loads,
            theirs,
            0.10,
            "stretch 0.25; nginx as it comes: HTTP/1.0 upstream, a connection for each request",
        ),
        _share(
            "the same against an nginx that keeps its connections upstream",
            loads,
            best,
            None,
            "both nginx: one process, no access log, nothing parsed, nothing kept",
        ),
        _rate("relayed, requests per CPU-second", loads),
        _rate(_NGINX, theirs),
        _rate("nginx with kept connections, requests per CPU-second", best),
        _latency("relayed, p50 added to the upstream's own, ms", median(added), 0.5, added),
        _latency(_NGINX_P50, median(slow), None, slow, f"one connection, {ROUNDS} rounds"),
    ]


def beside_nginx(figures: Sequence[Figure]) -> list[Figure]:
    """Return the figures in units of what nginx did in the same run.

    The targets are numbers of another machine. Where one is known in the units of nginx there, it
    is the target here as well, beside the absolute one and not in its place.
    """
    found = {figure.name: figure.number for figure in figures}
    made: list[Figure] = []
    for name, per, target in (
        (_SURE, _NGINX, 4000 / _NGINX_THEN),
        (_STREAMS, _NGINX, 1500 / _NGINX_THEN),
        (_SURE_P50, _NGINX_P50, None),
    ):
        if name in found and per in found:
            ratio = found[name] / found[per]
            note = f"{found[name]:,.4g} ÷ {found[per]:,.4g}"
            if target is not None:
                note += f"; the target is {target * _NGINX_THEN:,.0f} ÷ {_NGINX_THEN:,} there"
            said = f"{name}, in nginx's of this run"
            target = None if target is None else round(target, 3)
            made.append(Figure(said, f"{ratio:.3f}", ratio, target, note=note))
    return made


def _nginx(found: Ground, upstream: str, *, kept: bool) -> AbstractContextManager[Running]:
    folder = found.workspace / ("nginx-kept" if kept else "nginx")
    return proxy(folder, upstream, found.cores.measured, kept=kept)


def _share(
    name: str, ours: Sequence[Load], theirs: Sequence[Load], target: float | None, note: str
) -> Figure:
    rounds = [one.rate / other.rate for one, other in zip(ours, theirs, strict=True)]
    share = per_cpu_second(ours) / per_cpu_second(theirs)
    spread = f"{min(rounds):.3f} to {max(rounds):.3f}"
    return Figure(name, f"{share:.3f}", share, target, spread=spread, note=note)


def streams(found: Ground, progress: Progress) -> list[Figure]:
    """Measure streams from upstream."""
    body = relayed_body(stream=True)
    with model_behind() as upstream, running(found, upstream) as ours:
        (loads,) = _pressed((ours,), [body], progress)
        added = _added(ours.url, upstream, body, lambda client: client.stream()[0])
    how = (
        f"{EVENTS} events and [DONE], each a write of the upstream's, one turn of its loop apart; "
    )
    how += "those that have come together by the time they are read go on together"
    return [
        _rate(_STREAMS, loads, 1500, how),
        _latency("relayed stream, time to first event added, ms", median(added), 1.0, added),
    ]


def _pressed(
    servers: Sequence[Running], bodies: Sequence[bytes], progress: Progress
) -> list[list[Load]]:
    """Press each server in turn, round after round, behind one round that is not counted."""
    found: list[list[Load]] = [[] for _ in servers]
    for server in servers:
        press(server, bodies, _WARM_S)
    for at in range(ROUNDS):
        progress("rounds under load", at, ROUNDS)
        for server, loads in zip(servers, found, strict=True):
            load = press(server, bodies, _PRESSED_S)
            if load.refused or load.broken:
                raise Refusal(
                    f"Under load {load.refused} requests were refused and {load.broken} cut off; "
                    "see what the gateway says with `stepdown serve --verbose`."
                )
            loads.append(load)
    return found


def _added(ours: str, bare: str, body: bytes, once: Callable[[Client], float]) -> list[float]:
    """Return by how much the gateway's median is above the bare upstream's, for each round."""
    found: list[float] = []
    with Client(ours, body) as through, Client(bare, body) as direct:
        for _ in range(2 * ROUNDS):
            one, other = ([once(client) for _ in range(_EACH)] for client in (through, direct))
            found.append(median(one) - median(other))
    return found


def _rate(name: str, loads: Sequence[Load], target: float | None = None, note: str = "") -> Figure:
    rates = [load.rate for load in loads]
    number = per_cpu_second(loads)
    spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
    told = f"{CONNECTIONS} connections" + (f"; {note}" if note else "")
    return Figure(name, f"{number:,.0f}", number, target, spread=spread, note=told)


def _latency(
    name: str, value: float, target: float | None, rounds: Sequence[float], note: str = ""
) -> Figure:
    spread = f"{min(rounds):.3f} to {max(rounds):.3f}"
    told = note or f"one connection, {len(rounds)} alternating rounds of {_EACH}"
    return Figure(name, f"{value:.3f} ms", value, target, True, spread=spread, note=told)
