"""Helicone: requests as its export command and its query API give them.

Bodies are the providers' own. Where an export has only links to them (`signed_body_url`), nothing
is fetched: such a request is counted as one without content.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from stepdown.core.calls import Call
from stepdown.core.ports import Line
from stepdown.logs.each import each_call
from stepdown.logs.exports import Export, amount, call_of, mapping, told_by, usage_of

__all__ = ["FORMAT", "Helicone"]

_OURS = frozenset(("request_body", "response_status", "request_created_at", "request_path"))
_SESSION = "Helicone-Session-Id"
_OK = range(200, 300)
_CACHED = frozenset(("", "00000000-0000-0000-0000-000000000000"))

_NOTHING = msgspec.Raw(b"null")


class _Row(msgspec.Struct):
    """A request's fields that are read."""

    request_body: msgspec.Raw = _NOTHING
    response_body: msgspec.Raw = _NOTHING
    request_id: Any = None
    response_id: Any = None
    request_created_at: Any = None
    response_created_at: Any = None
    response_status: Any = None
    request_model: Any = None
    response_model: Any = None
    model: Any = None
    model_override: Any = None
    delay_ms: Any = None
    prompt_tokens: Any = None
    completion_tokens: Any = None
    prompt_cache_read_tokens: Any = None
    cost: Any = None
    costUSD: Any = None
    cost_usd: Any = None
    prompt_id: Any = None
    request_properties: Any = None
    properties: Any = None
    user_id: Any = None
    cache_reference_id: Any = None


_row = msgspec.json.Decoder(_Row).decode


class Helicone:
    """Reads Helicone's requests."""

    name = "helicone"

    def detect(self, sample: Sequence[dict[str, Any]]) -> bool:
        """Say whether a line has request fields under Helicone's names."""
        return any(
            len(line.keys() & _OURS) > 1 and ("request_id" in line or "response_id" in line)
            for line in sample
        )

    def read(self, lines: Iterable[Line]) -> Iterator[Call | str]:
        """Yield each request's call, or why there is none."""
        return each_call(lines, lambda line: call_of(line, _export(_row(line.data))))


def _export(row: _Row) -> Export:
    models = (row.model_override, row.response_model, row.model, row.request_model)
    costs = (row.cost, row.costUSD, row.cost_usd)
    cost = next((amount(value) for value in costs if value is not None), None)
    from_cache = isinstance(row.cache_reference_id, str) and row.cache_reference_id not in _CACHED
    properties = {**mapping(row.request_properties), **mapping(row.properties)}
    session = properties.get(_SESSION)
    prompt = row.prompt_id
    return Export(
        request=row.request_body,
        response=row.response_body,
        id=row.request_id or row.response_id,
        model=next((name for name in models if isinstance(name, str) and name), ""),
        begun=row.request_created_at,
        ended=row.response_created_at,
        latency_ms=row.delay_ms,
        usage=usage_of(row.prompt_tokens, row.completion_tokens, row.prompt_cache_read_tokens),
        # Helicone writes 0 for a model without a price.
        cost_usd=None if cost == 0 and not from_cache else cost,
        metadata=properties,
        task=prompt if isinstance(prompt, str) and prompt else None,
        group=str(session) if session else None,
        by=told_by(
            user=row.user_id or properties.get("Helicone-User-Id"),
            team=properties.get("team") or properties.get("Team"),
        ),
        failed=_failed(row.response_status),
    )


def _failed(status: Any) -> bool:
    known = amount(status)
    return known is not None and int(known) not in _OK


FORMAT = Helicone()
