"""Chains: the upstreams of a tier in the order in which they are asked.

One that gives no usable answer before the caller's first byte is followed by the next. Each keeps
its own breaker, its own bound on what is under way, its own budget of retries, and its own key.
"""

from collections.abc import Iterable

import msgspec

from stepdown.core.routes import Tier
from stepdown.serve.dialects import MESSAGES, Dialect
from stepdown.serve.fields import with_field
from stepdown.serve.providers import provider_of
from stepdown.serve.settings import Endpoint, Settings
from stepdown.serve.upstream import Upstream

__all__ = ["Chain", "Chains", "Link", "chains_of", "held_back", "renamed", "usable"]

_OK = 200
_TOO_LATE = 408
_TOO_MANY = 429
_FAILED = 500


class Link(msgspec.Struct, frozen=True):
    """One upstream of a chain.

    `api_key` None passes the caller's own key on, "" sends none. `model` is asked for in place of
    the one that the request names. `first_byte_s` is for streams, `answer_s` for whole answers. A
    `general` one below the frontier takes calls of no known task, with `tools` or without. Streams
    of one that is to `ask_usage` are asked to tell their tokens.
    """

    tier: Tier
    upstream: Upstream
    api_key: str | None
    model: str | None
    first_byte_s: float
    answer_s: float
    general: bool = False
    tools: bool = True
    ask_usage: bool = False


Chain = tuple[Link, ...]


class Chains(msgspec.Struct, frozen=True):
    """The chains of a gateway: `messages` is the frontier's for Anthropic's dialect, and the
    frontier's own where that has none to itself. An empty chain is a tier that isn't there."""

    frontier: Chain
    messages: Chain
    mid: Chain
    small: Chain = ()

    def frontier_of(self, dialect: Dialect) -> Chain:
        """Return the frontier's chain for a dialect."""
        return self.messages if dialect is MESSAGES else self.frontier

    def named(self) -> dict[str, Chain]:
        """Return the chains that are there, by their names in the configuration."""
        own = () if self.messages is self.frontier else self.messages
        found = {
            "frontier": self.frontier,
            "frontier.messages": own,
            "mid": self.mid,
            "small": self.small,
        }
        return {name: chain for name, chain in found.items() if chain}

    def by_name(self) -> dict[str, Link]:
        """Return every upstream by a name of its own: an address may stand twice in a chain."""
        return {
            f"{name} fall-back {number}" if number else name: link
            for name, chain in self.named().items()
            for number, link in enumerate(chain)
        }

    def upstreams(self) -> list[Upstream]:
        """Return every upstream, each once."""
        return [link.upstream for chain in self.named().values() for link in chain]


def chains_of(settings: Settings, there: Iterable[Upstream] = ()) -> Chains:
    """Return the chains that the settings name; an upstream that is there already is kept, with its
    connections and what its breaker knows."""
    pool = list(there)
    frontier: Chain = ()
    if settings.frontier is not None:
        frontier = _chain(settings, "frontier", settings.frontier, pool, passes_keys_on=True)
    messages = frontier
    if settings.messages is not None:
        # Its model is for callers who name none; what they do name stands.
        first = msgspec.structs.replace(settings.messages, model=None)
        messages = _chain(settings, "frontier", first, pool, passes_keys_on=True)
    mid = _chain(settings, "mid", settings.mid, pool) if settings.mid else ()
    small = _chain(settings, "small", settings.small, pool) if settings.small else ()
    return Chains(frontier, messages, mid, small)


def _chain(
    settings: Settings,
    tier: Tier,
    first: Endpoint,
    pool: list[Upstream],
    *,
    passes_keys_on: bool = False,
) -> Chain:
    timeouts = settings.timeouts
    return tuple(
        Link(
            tier,
            _upstream(settings, one, pool),
            # Callers mean their keys for the address that they know of, and for no other.
            one.api_key if passes_keys_on and one is first else one.api_key or "",
            one.model or first.model,
            one.first_byte or first.first_byte or timeouts.first_byte,
            one.answer or first.answer or timeouts.answer,
            first.general,
            first.tools,
            provider_of(one.base_url) == "openai" if one.ask_usage is None else one.ask_usage,
        )
        for one in (first, *first.fallbacks)
    )


def _upstream(settings: Settings, one: Endpoint, pool: list[Upstream]) -> Upstream:
    """Return the upstream at an address: one of the pool, which it leaves, or a new one."""
    made = Upstream(
        one.base_url, settings.limits, settings.timeouts, allow_private=one.allow_private
    )
    for there in pool:
        if (there.address, there.allow_private) == (made.address, made.allow_private):
            pool.remove(there)
            return there
    return made


def held_back(chain: Chain) -> bool:
    """Say whether nobody in the chain is to be asked just now."""
    return all(link.upstream.breaker.open for link in chain)


def usable(tier: Tier, status: int) -> bool:
    """Say whether an answer of that status is the caller's, also where another could be asked.

    A model that the caller did not name may refuse what the one it named takes.
    """
    if tier != "frontier":
        return status == _OK
    return status < _FAILED and status not in (_TOO_LATE, _TOO_MANY)


def renamed(body: bytes, model: str) -> bytes:
    """Return the body with that model's name in it; every other byte stays."""
    return with_field(body, "model", msgspec.json.encode(model))
