"""Teachers as the configuration has them: where they are, what they charge, how they are asked."""

import os
from contextlib import AbstractAsyncContextManager
from fractions import Fraction
from math import ceil
from typing import cast
from urllib.parse import urlsplit

import msgspec

from stepdown import plugins
from stepdown.audit.prices import ATTODOLLARS, cost_of, plausible
from stepdown.cli.options import Session
from stepdown.config import TeacherConfig
from stepdown.core.calls import Answer, Call, Request, Usage
from stepdown.core.fingerprint import canonical_json, digest
from stepdown.core.ports import Batches, BatchProvider, Complete, Provider
from stepdown.errors import ConfigError
from stepdown.wire.addresses import root_of
from stepdown.wire.asking import taught

__all__ = ["Teacher", "section_of", "teacher_of"]

_PROVIDERS = {"openai": "openai-compatible", "anthropic": "anthropic"}
_RENAMED = "api.openai.com"
"""Where the newer models know the limit of an answer by its newer name alone."""

_NOTHING, _NO_ANSWER = Request("", ()), Answer()


class Teacher(msgspec.Struct, frozen=True):
    """A model behind an API whose answers are paid for, at a `share` of their price.

    `section` is the part of stepdown.toml that says so, or would.
    """

    model: str
    address: str
    key: str | None
    terms: TeacherConfig
    share: Fraction = Fraction(1)
    section: str = "[teacher]"

    def connect(self) -> AbstractAsyncContextManager[Complete]:
        """Give what completes requests; see `core.ports.Provider`."""
        return self._provider().connect(self.address, self.key)

    def batches(self) -> AbstractAsyncContextManager[Batches]:
        """Give the API's batches."""
        return cast("BatchProvider", self._provider()).batches(self.address, self.key)

    def _provider(self) -> Provider:
        return plugins.provider(_PROVIDERS[self.terms.api])

    def body(self, request: Request) -> tuple[bytes, Usage]:
        """Return what is sent for a logged request, and the most tokens that it can take."""
        newer = urlsplit(self.address).hostname == _RENAMED
        limit = "max_completion_tokens" if newer else "max_tokens"
        return taught(request, self.model, self.terms.max_tokens, limit)

    def question(self, body: bytes, repeat: int) -> str:
        """Return the key of a question: what was asked, of whom, and the number of its repeat."""
        return digest(canonical_json([self.address, msgspec.json.decode(body), repeat]))

    def price(self, usage: Usage, time: float) -> int | None:
        """Return attodollars: as configured, else by the kept price list; None: unknown."""
        whole = self._listed(usage, time)
        return None if whole is None else ceil(whole * self.share)

    def _listed(self, usage: Usage, time: float) -> int | None:
        read, written = self.terms.usd_per_million_input, self.terms.usd_per_million_output
        if read is not None and written is not None and plausible(usage):
            each = (round(usd * ATTODOLLARS / 1_000_000) for usd in (read, written))
            return sum(
                count * usd
                for count, usd in zip((usage.input_tokens, usage.output_tokens), each, strict=True)
            )
        return cost_of(Call("", _NOTHING, _NO_ANSWER, self.model, time, usage=usage))


def teacher_of(session: Session, name: str, *, batch: bool = False) -> Teacher:
    """Return the teacher of that name: `[teachers.NAME]`, else `[teacher]` with that model.

    With `batch` it is at the price of its API's batches.

    Raises:
        ConfigError: it has no address, or its key is not set.
    """
    config = session.config
    own = config.teachers.get(name)
    where = "[teacher]" if own is None else section_of(name)
    terms = own or config.teacher
    frontier = config.tiers.get("frontier")
    address, variable = terms.base_url, terms.api_key_env
    if address is None and frontier is not None:
        address, variable = frontier.base_url, variable or frontier.api_key_env
    if address is None:
        raise ConfigError(
            f"Nothing says where {name} is asked; set base_url and api_key_env under {where} or "
            "[tiers.frontier] in stepdown.toml."
        )
    key = os.environ.get(variable) if variable else None
    if variable and not key:
        raise ConfigError(f"{where} takes its key from {variable}, which is not set; set it.")
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
        raise ConfigError(
            f"{address[:200]!r} is no API's address; set base_url under {where} to one such as "
            "https://api.openai.com/v1."
        )
    provider = plugins.provider(_PROVIDERS[terms.api])
    share = cast("BatchProvider", provider).batch_share if batch else Fraction(1)
    return Teacher(terms.model or name, root_of(address), key, terms, share, where)


def section_of(name: str) -> str:
    """Return the section of stepdown.toml that is this teacher's own."""
    bare = name.isascii() and name.replace("-", "_").replace("_", "a").isalnum()
    return f"[teachers.{name if bare else msgspec.json.encode(name).decode()}]"
