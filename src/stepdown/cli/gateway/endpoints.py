"""The tiers of a configuration as the gateway takes them: addresses, keys, times, and the score."""

import os

import msgspec

from stepdown.cli.scores import open_score
from stepdown.config import Config, EndpointConfig, MessagesConfig, TierConfig, thresholds
from stepdown.core.ports import Complexity
from stepdown.errors import ConfigError
from stepdown.serve.settings import Endpoint, Routing, Settings
from stepdown.workspace import Workspace

__all__ = ["chain_of", "cheaper_of", "endpoint_of", "secret", "with_score"]

_FIRST_BYTE_S = 10.0
_ANSWER_S = 60.0
"""What is slower than this below the frontier had better be asked of the frontier."""


def cheaper_of(tier: TierConfig | None) -> Endpoint | None:
    """Return a tier below the frontier, if it is configured.

    It takes calls of no known task where it speaks chat completions and its model is named.

    Raises:
        ConfigError: a key's environment variable is not set.
    """
    if tier is None:
        return None
    return msgspec.structs.replace(
        chain_of(tier),
        first_byte=tier.first_byte_seconds or _FIRST_BYTE_S,
        answer=tier.answer_seconds or _ANSWER_S,
        general=tier.api == "chat" and tier.model is not None,
        tools=tier.tools,
    )


def chain_of(first: MessagesConfig) -> Endpoint:
    """Return an address with its fall-backs; raises as `cheaper_of` does."""
    fallbacks = tuple(map(endpoint_of, first.fallbacks))
    return msgspec.structs.replace(endpoint_of(first), fallbacks=fallbacks)


def endpoint_of(one: EndpointConfig) -> Endpoint:
    """Return one address; raises as `cheaper_of` does."""
    key = secret(one.api_key_env) if one.api_key_env else None
    return Endpoint(
        one.base_url,
        key,
        one.model,
        allow_private=one.allow_private,
        ask_usage=one.ask_usage,
    )


def secret(variable: str) -> str:
    """Return the key that an environment variable holds.

    Raises:
        ConfigError: it is not set, or no variable can have that name.
    """
    if variable not in os.environ and not variable.isidentifier():
        # What stands there instead may be the key itself, so it is not repeated.
        raise ConfigError(
            "The configuration takes a key from something that is no environment variable's name; "
            "put the key into a variable, and the variable's name into the configuration."
        )
    value = os.environ.get(variable, "").strip()
    if not value:
        raise ConfigError(
            f"The configuration takes a key from {variable}, which is not set; "
            f"export {variable}=… or remove the setting."
        )
    return value


def with_score(settings: Settings, config: Config, workspace: Workspace) -> Settings:
    """Return the settings with the workspace's complexity score, or with why it is not used."""
    own = config.routing
    routing = settings.routing
    if own.enabled:
        usual, types = thresholds(own)
        score, problem = _score(settings, workspace)
        routing = Routing(score, usual, types, own.compare_share, problem)
    return msgspec.structs.replace(settings, routing=routing)


def _score(settings: Settings, workspace: Workspace) -> tuple[Complexity | None, str]:
    if not any(one is not None and one.general for one in (settings.small, settings.mid)):
        return None, (
            "[routing] is enabled, but there is no tier to route to; give [tiers.mid] or "
            "[tiers.small] a base_url and a model. Calls of no known task go to the frontier."
        )
    score, problem = open_score(workspace)
    if score is None:
        problem = f"[routing] is enabled, but {problem} Calls of no known task go to the frontier."
    return score, problem
