"""The running totals of one group of calls: exact sums, and bounded sketches of the rest."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from stepdown.audit.ledger import Ledger
from stepdown.audit.prices import ATTODOLLARS, cost_of
from stepdown.audit.repeats import Repeats
from stepdown.audit.sample import Sample, Sampled, Texts
from stepdown.core.calls import NO_TOOLS, PLAIN_TEXT, TEACHERS, Answer, Call
from stepdown.core.fingerprint import canonical_json
from stepdown.core.records import read_json
from stepdown.core.tasks import texts

__all__ = ["Bounds", "Latencies", "Params", "Tally"]

SAMPLE_CALLS = 1_500
SAMPLE_BYTES = 8_000_000

_STEP = math.log(1.01)
_PARAM_FIELDS = 64
_PARAM_VALUES = 8
_PARAM_BYTES = 1_000


class Latencies:
    """Quantiles of durations in milliseconds, each exact to 0.5 %: a histogram of 1 % steps.

    (DDSketch: Masson, Rim & Lee, VLDB 2019, §2.) Values that are not positive are left out.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._low = math.inf
        self._high = 0.0

    def add(self, value: float | None) -> None:
        """Count one duration; None, zero, negative and infinite ones are unknown."""
        if value is None or not 0 < value < math.inf:
            return
        self._counts[round(math.log(value) / _STEP)] += 1
        self._low = min(self._low, value)
        self._high = max(self._high, value)

    def merge(self, other: "Latencies") -> None:
        """Make this the histogram of both."""
        self._counts.update(other._counts)
        self._low = min(self._low, other._low)
        self._high = max(self._high, other._high)

    def quantile(self, share: float) -> float | None:
        """Return the duration that `share` of them do not exceed, or None without any."""
        rank = share * self._counts.total()
        below = 0
        for step in sorted(self._counts):
            below += self._counts[step]
            if below >= rank:
                return min(max(math.exp(step * _STEP), self._low), self._high)
        return None


class Params:
    """What was seen of the other body fields: values, or the largest where they are numbers.

    At most 64 fields, the first ones, and, of each, the 8 values that come first by their canonical
    JSON. What is part of a larger whole keeps all fields, for that to choose.
    """

    def __init__(self, *, part: bool = False) -> None:
        self._fields = math.inf if part else _PARAM_FIELDS
        self._names: dict[str, None] = {}
        self._values: dict[str, dict[bytes, Any]] = {}
        self._largest: dict[str, float] = {}

    def add(self, params: dict[str, Any]) -> None:
        """Note one request's fields; null is the same as absent."""
        for name, value in params.items():
            if value is not None and self._known(name):
                self._note(name, value)

    def merge(self, other: "Params") -> None:
        """Make this what was seen by both."""
        for name in other._names:
            if self._known(name):
                self._follow(name, other)

    def _follow(self, name: str, other: "Params") -> None:
        if name in other._values:
            self._values.setdefault(name, {})
        for value in other._values.get(name, {}).values():
            self._note(name, value)
        if name in other._largest:
            self._note(name, other._largest[name])

    def summary(self) -> dict[str, Any]:
        """Return field → distinct values, or {"max": x} where all were numbers."""
        seen: dict[str, Any] = {name: {"max": top} for name, top in self._largest.items()}
        for name, values in self._values.items():
            number = [self._largest[name]] if name in self._largest else []
            seen[name] = [*(values[key] for key in sorted(values)), *number]
        return dict(sorted(seen.items()))

    def _known(self, name: str) -> bool:
        if name not in self._names and len(self._names) < self._fields:
            self._names[name] = None
        return name in self._names

    def _note(self, name: str, value: Any) -> None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            self._largest[name] = max(value, self._largest.get(name, value))
            return
        values = self._values.setdefault(name, {})
        key = canonical_json(value)
        if key in values or len(key) > _PARAM_BYTES:
            return
        values[key] = value
        if len(values) > _PARAM_VALUES:
            del values[max(values)]


def _hash(*parts: str) -> int:
    """Return 8 bytes of hash; among ten million inputs, two alike have a chance of 1 in 400,000."""
    data = "\0".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def _canonical(text: str) -> str:
    """Return JSON without its spacing and key order, any other text without outer blanks."""
    bare = text.strip()
    if not bare.startswith(("{", "[", "```")):
        return bare
    try:
        return canonical_json(read_json(bare)).decode()
    except ValueError:
        return bare


def _answer_parts(answer: Answer) -> Iterator[str]:
    if answer.tool_calls:
        for call in answer.tool_calls:
            yield call.name
            yield _canonical(call.arguments)
    else:
        yield _canonical(answer.text or "")


class Bounds(msgspec.Struct, frozen=True):
    """What a tally's sketches have grown too small for: see `Sample` and `Repeats`."""

    ceiling: int = 2**64
    mask: int = 0


class Tally:
    """Everything the audit keeps of one group. Tallies of two groups merge.

    One that is `part` of a larger one is counted elsewhere, in place of what follows there, and
    leaves out what that would: what was already too much for its sketches.
    """

    def __init__(self, first: "Call | Tally", part: "Bounds | None" = None) -> None:
        bounds = part or Bounds()
        kind = first if isinstance(first, Tally) else first.request
        self.tools = kind.tools
        self.output_format = kind.output_format
        self.calls = 0
        self.models: Counter[str] = Counter()
        self.unpriced: Counter[str] = Counter()
        self.cost = 0
        self.priced_calls = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.cached_tokens = 0
        self.counted_calls = self.batched_calls = 0
        self.first_time = math.inf
        self.last_time = -math.inf
        self.latencies = Latencies()
        self.params = Params(part=part is not None)
        self.sample = Sample(SAMPLE_CALLS, SAMPLE_BYTES, bounds.ceiling)
        self.repeats = Repeats(mask=bounds.mask)
        self.ledger = Ledger(part=part is not None)

    def add(self, call: Call) -> None:
        """Count one call."""
        self.calls += 1
        self.batched_calls += call.batched
        self.models[call.model or call.request.model] += 1
        self._add_money(call)
        if call.time is not None and math.isfinite(call.time):
            self.first_time = min(self.first_time, call.time)
            self.last_time = max(self.last_time, call.time)
        request = call.request
        if request.params:
            self.params.add(request.params)
        if request.tool_choice is not None:
            self.params.add({"tool_choice": request.tool_choice})
        # What is ours and no teacher's: neither anatomy nor agreement rest on it.
        if call.tier in TEACHERS:
            self.latencies.add(call.latency_ms)
            self._add_content(call, texts(request))

    def _add_money(self, call: Call) -> None:
        cost = cost_of(call)
        self.ledger.add(call, cost)
        if cost is None:
            self.unpriced[call.model or call.request.model] += 1
        else:
            self.cost += cost
            self.priced_calls += 1
        usage = call.usage
        if usage is not None and usage.input_tokens >= 0 and usage.output_tokens >= 0:
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens
            self.cached_tokens += usage.cached_tokens
            self.counted_calls += 1

    def _add_content(self, call: Call, parts: Texts) -> None:
        given = _hash(*parts)
        if self.repeats.follows(given):
            self.repeats.add(given, _hash(*_answer_parts(call.answer)))
        key = _hash(call.id, str(given))
        if self.sample.wants(key):
            self.sample.add(key, Sampled(parts, call.answer))

    def merge(self, other: "Tally") -> None:
        """Make this the tally of both groups."""
        self.calls += other.calls
        self.models.update(other.models)
        self.unpriced.update(other.unpriced)
        self.cost += other.cost
        self.priced_calls += other.priced_calls
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cached_tokens += other.cached_tokens
        self.counted_calls += other.counted_calls
        self.batched_calls += other.batched_calls
        self.first_time = min(self.first_time, other.first_time)
        self.last_time = max(self.last_time, other.last_time)
        self.latencies.merge(other.latencies)
        self.params.merge(other.params)
        self.sample.merge(other.sample)
        self.repeats.merge(other.repeats)
        self.ledger.merge(other.ledger)

    @property
    def bounds(self) -> Bounds:
        """What another process need not send."""
        return Bounds(self.sample.ceiling, self.repeats.mask)

    @property
    def spend_usd(self) -> float | None:
        """What the calls with a known price cost in US dollars, or None when none has one."""
        return self.cost / ATTODOLLARS if self.priced_calls else None

    @property
    def tools_json(self) -> str:
        """The tools offered, as JSON: [{name, description, parameters, strict}]."""
        return _json(self.tools.tools) if self.tools != NO_TOOLS else "[]"

    @property
    def output_format_json(self) -> str:
        """The response format as JSON: {kind, schema, strict, hash}, "null" for plain text."""
        return _json(self.output_format) if self.output_format != PLAIN_TEXT else "null"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
