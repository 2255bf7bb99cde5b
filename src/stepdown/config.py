"""`stepdown.toml`: every key documented here, unknown keys refused.

The nearest setting wins: a command's option, then `[tasks.<name>]`, then `[defaults]`, then what is
built in.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from stepdown.core.places import made_of
from stepdown.core.ports import Durability
from stepdown.core.proofs import ContractKind
from stepdown.core.redaction import Redaction
from stepdown.core.tiering import TaskType, Thresholds
from stepdown.errors import ConfigError, UsageError

__all__ = [
    "AUDIT_SHARE",
    "DATABASES",
    "AdminConfig",
    "Config",
    "Defaults",
    "EngineConfig",
    "RoutingConfig",
    "ServeConfig",
    "StoreConfig",
    "TaskConfig",
    "TeacherConfig",
    "Terms",
    "TierConfig",
    "TypeConfig",
    "load_config",
    "terms_for",
    "thresholds",
]

AUDIT_SHARE = 0.02
"""The share of answered calls that a proof's economics set aside for checking them."""

DATABASES = ("postgresql://", "postgres://")
"""How the URL of a database begins."""

Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Part = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Kind = Literal["credentials", "emails", "ibans", "cards", "ips", "phones", "ids"]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file: a key it doesn't name is an error, not a surprise."""


class EndpointConfig(_Section, frozen=True):
    """`[[tiers.<tier>.fallbacks]]`: whom to ask where those before it give no usable answer.

    `model` is asked for there in place of the one that the request names. The key is its own, from
    `api_key_env`, or none: a caller's key, or another's, never goes to its address. `allow_private`
    lets a name of the public DNS lead to a private address. `ask_usage` asks streams for the tokens
    that they take (`stream_options.include_usage`) where the caller does not, and keeps what they
    tell from it: some servers refuse that, so unless it is said only api.openai.com is asked.
    """

    base_url: str
    api_key_env: str | None = None
    model: str | None = None
    allow_private: bool = False
    ask_usage: bool | None = None


class MessagesConfig(EndpointConfig, frozen=True):
    """`[tiers.frontier.messages]`: where Anthropic's dialect goes, if not to the tier's `base_url`.

    The keys are as in the tier itself.
    """

    fallbacks: tuple[EndpointConfig, ...] = ()


class TierConfig(MessagesConfig, frozen=True):
    """`[tiers.frontier]`, `[tiers.mid]` or `[tiers.small]`: where that tier's model is reached.

    `base_url` is the API's root, with or without `/v1`. `api_key_env` names the environment
    variable that holds the key; without it the caller's own key is passed through. `model` is what
    is asked for when the caller named none of its own (`auto`, `stepdown/<task>`). `api` is what it
    speaks: chat completions, or a decisions endpoint (closed choices with probabilities).
    `usd_per_1000` is what 1,000 calls cost, whatever model answers them, in place of the price
    list: 0 for a machine of your own. `first_byte_seconds` and `answer_seconds` are how long a
    stream's first byte and a whole answer may take: 60 and 600, and 10 and 60 below the frontier.
    `tools` says whether calls of no known task that have tools may go there.
    """

    first_byte_seconds: Seconds | None = None
    answer_seconds: Seconds | None = None
    messages: MessagesConfig | None = None
    tools: bool = True
    api: Literal["chat", "decisions"] = "chat"
    usd_per_1000: Annotated[float, msgspec.Meta(ge=0)] | None = None


class Defaults(_Section, frozen=True):
    """`[defaults]`: the promise made for every task that doesn't state its own.

    `error_budget` is the share of calls that may be answered differently from the teacher,
    `contract` what that share is of (all calls, or the answered ones), `confidence` how sure the
    certificate is. `audit_share` is the share of answered calls that the teacher is sent as well:
    a proof's economics count 2 % unless it is stated, and the gateway sends only what is stated.
    `cpu_usd_hour` is what one core of the gateway's machine costs an hour, in US dollars. `novelty`
    is the share of the calls that a student would answer which the novelty gate may leave to the
    teacher, since they are unlike what was learnt from; 0 switches the gate off. `source_share` is
    the share of a dataset's training rows that one user may have (1: no cap), and `quarantine` says
    whether training rows that look planted are left out. `second_questions` says which paid
    answers are asked for again in our own words: those to inputs that look like attacks
    ("suspicious"), or with a share of all others as well; 0: none are.
    """

    error_budget: Share = 0.02
    contract: ContractKind = "joint"
    confidence: Share = 0.95
    audit_share: Part | None = None
    cpu_usd_hour: Annotated[float, msgspec.Meta(ge=0)] = 0.04
    novelty: Part = 0.02
    source_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.005
    quarantine: bool = True
    second_questions: Part | Literal["suspicious"] = "suspicious"


class TaskConfig(_Section, frozen=True):
    """`[tasks.<name>]`: what this one task states differently; None falls back to the defaults."""

    error_budget: Share | None = None
    contract: ContractKind | None = None
    confidence: Share | None = None
    novelty: Part | None = None


class StoreConfig(_Section, frozen=True):
    """`[store]`: where captured calls are kept: `sqlite` is the workspace's own `calls.db`.

    With a `url` such as `postgresql://user@host/name` they are moved to that database, which many
    gateways can share; `url_env` names an environment variable that holds the URL instead. What the
    URL leaves out (a password, say) comes from libpq's own variables and files. `outbox_bytes` is
    what may wait in the workspace while the database does not take it.

    `durability` is what a captured call survives once its caller has the answer: `async` promises
    nothing, `journal` that it survives the process, `sync` the machine as well. `when_full` is what
    happens when no more can be captured: `shed` answers on and counts what is missing, `refuse`
    answers 503. `redact` is what is taken out of whatever stepdown keeps (docs/privacy.md), and
    `regions` are the countries, as codes such as DE, whose national phone numbers and ids are known
    to it. Captured calls are kept for `keep_days`; without it for good.
    """

    url: str = "sqlite"
    url_env: str | None = None
    outbox_bytes: Annotated[int, msgspec.Meta(ge=1024 * 1024)] = 1024 * 1024 * 1024
    durability: Durability = "journal"
    when_full: Literal["shed", "refuse"] = "shed"
    redact: tuple[Kind, ...] = ("credentials",)
    regions: tuple[str, ...] = ()
    keep_days: Annotated[float, msgspec.Meta(gt=0)] | None = None

    @property
    def redaction(self) -> Redaction:
        """What is taken out of whatever is kept."""
        return Redaction(self.redact, self.regions)


class ServeConfig(_Section, frozen=True):
    """`[serve]`: the gateway's address and limits; sizes in bytes, times in seconds.

    `client_keys_env` names the environment variable that holds the keys that callers must present,
    separated by commas; without it a caller's key is the upstream's business. With `keys =
    "required"` callers must present one of these or a virtual key (`stepdown keys add`), as they
    must anyway once there are some. The models behind the gateway may cost `max_usd_per_hour`; for
    that and for keys with limits a request is counted on to have an answer of `max_output_tokens`,
    where it sets no limit of its own. A call that the upstream answered with a passing failure is
    tried again up to `retries` times (0: never), and `max_upstream_requests` may be under way to
    one upstream, `max_requests` in the whole gateway. All tries of a request share
    `deadline_seconds` until its caller gets a first byte. So many `workers` share the port, each a
    process of its own; more than one takes a database as the store.
    `access_log` is a file that gets one line of JSON for each request ("-": standard output),
    `otlp_endpoint` the root of an OpenTelemetry collector, such as http://127.0.0.1:4318, that gets
    a span for each API call; `trace_share` is the share of calls that are told so where the
    caller's own trace has not decided it.
    """

    host: str = "127.0.0.1"
    port: int = 8787
    client_keys_env: str | None = None
    keys: Literal["required"] | None = None
    max_usd_per_hour: Annotated[float, msgspec.Meta(gt=0)] | None = None
    max_output_tokens: Annotated[int, msgspec.Meta(gt=0)] = 16_384
    max_body_bytes: Annotated[int, msgspec.Meta(gt=0)] = 4 * 1024 * 1024
    first_byte_seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    idle_seconds: Annotated[float, msgspec.Meta(gt=0)] = 15.0
    deadline_seconds: Seconds = 600.0
    drain_seconds: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    retries: Annotated[int, msgspec.Meta(ge=0, le=5)] = 2
    max_upstream_requests: Annotated[int, msgspec.Meta(gt=0)] = 1000
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    max_requests: Annotated[int, msgspec.Meta(gt=0)] = 1500
    access_log: str | None = None
    otlp_endpoint: str | None = None
    trace_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0


Unit = Annotated[float, msgspec.Meta(ge=0, le=1)]


class TypeConfig(_Section, frozen=True):
    """`[routing.types.<type>]`: one task type's own thresholds; None falls back to `[routing]`."""

    mid: Unit | None = None
    frontier: Unit | None = None


class RoutingConfig(_Section, frozen=True):
    """`[routing]`: calls of no known task go to a tier by their complexity score; off unless asked.

    The score is what `stepdown routing` fitted: a call below `mid` goes to the small tier, one from
    `frontier` on to the frontier, and what lies between to mid. `types` states it differently for
    one task type: labels, schema, tools, code or prose. Of the calls that could go either way
    `compare_share` is asked of another tier as well, after the caller was served; that is paid for,
    and the score learns from it.
    """

    enabled: bool = False
    mid: Unit = 0.4
    frontier: Unit = 0.75
    types: dict[TaskType, TypeConfig] = {}
    compare_share: Part = 0.0


class AdminConfig(_Section, frozen=True):
    """`[admin]`: the plane of administration, on a port of its own.

    `secret_env` names the environment variable that holds its secret; where that is not set there
    is no plane at all. `allow_remote` lets `host` be another than loopback, and `hosts` are the
    names, with ports, that it is then reached by.
    """

    host: str = "127.0.0.1"
    port: int = 8788
    secret_env: str = "STEPDOWN_ADMIN_SECRET"
    allow_remote: bool = False
    hosts: tuple[str, ...] = ()


class TeacherConfig(_Section, frozen=True):
    """`[teacher]`, or `[teachers.NAME]`: whom `stepdown label --teacher` asks, and at what price.

    The keys `base_url` and `api_key_env` are as in a tier; where there is no address here, it is
    `[tiers.frontier]`'s, with its key. `api` is the dialect spoken there. `model` is asked for in
    place of the name given to --teacher. US dollars for a million tokens, read and written, stand
    in place of the price list. A question that sets no limit of its own may have an answer of
    `max_tokens`, which takes at most `answer_seconds`. So many requests and tokens a minute are
    sent at most.
    """

    base_url: str | None = None
    api_key_env: str | None = None
    api: Literal["openai", "anthropic"] = "openai"
    model: str | None = None
    usd_per_million_input: Annotated[float, msgspec.Meta(ge=0)] | None = None
    usd_per_million_output: Annotated[float, msgspec.Meta(ge=0)] | None = None
    max_tokens: Annotated[int, msgspec.Meta(gt=0)] = 4096
    answer_seconds: Seconds = 120.0
    requests_per_minute: Annotated[float, msgspec.Meta(gt=0)] | None = None
    tokens_per_minute: Annotated[float, msgspec.Meta(gt=0)] | None = None


class EngineConfig(_Section, frozen=True):
    """`[engine]`: how many `workers` an engine with several has; absent: one a core, or the whole
    cluster that is joined."""

    workers: Annotated[int, msgspec.Meta(ge=1)] | None = None


class Config(_Section, frozen=True):
    """The whole file."""

    tiers: dict[str, TierConfig] = {}
    defaults: Defaults = Defaults()
    tasks: dict[str, TaskConfig] = {}
    store: StoreConfig = StoreConfig()
    serve: ServeConfig = ServeConfig()
    admin: AdminConfig | None = None
    routing: RoutingConfig = RoutingConfig()
    teacher: TeacherConfig = TeacherConfig()
    teachers: dict[str, TeacherConfig] = {}
    engine: EngineConfig = EngineConfig()


class Terms(msgspec.Struct, frozen=True):
    """The promise for one task, settled: see `Defaults` for each value."""

    error_budget: float
    contract: ContractKind
    confidence: float
    audit_share: float
    novelty: float


def load_config(path: Path, *, required: bool = False) -> Config:
    """Read `stepdown.toml`; a missing file is the built-in configuration, unless it is `required`.

    Raises:
        ConfigError: it is not TOML, has an unknown key or tier, or a value of the wrong kind; or
            it is missing and required.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        if not required:
            return Config()
        raise ConfigError(
            f"There is no configuration at {path}; put it there, or name another with --config."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be read ({error}); mend or remove it.") from error
    try:
        config = made_of(tomllib.loads(text), Config)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}; docs/configuration.md lists every key.") from error
    return _checked(config, path)


def _checked(config: Config, path: Path) -> Config:
    for name, tier in config.tiers.items():
        if name not in ("frontier", "mid", "small"):
            raise ConfigError(
                f"{path}: there is no tier {name!r}; tiers are frontier, mid and small."
            )
        if tier.messages is not None and name != "frontier":
            raise ConfigError(f"{path}: only [tiers.frontier] has a table `messages`.")
    _check_store(config.store, path)
    for teacher in (config.teacher, *config.teachers.values()):
        if (teacher.usd_per_million_input is None) != (teacher.usd_per_million_output is None):
            raise ConfigError(
                f"{path}: a teacher's price takes both usd_per_million_input and "
                "usd_per_million_output; add the other."
            )
    try:
        thresholds(config.routing)
    except UsageError as error:
        raise ConfigError(f"{path}: [routing] {error}") from error
    return config


def _check_store(store: StoreConfig, path: Path) -> None:
    if store.url_env is not None and store.url != "sqlite":
        raise ConfigError(f"{path}: [store] has both url and url_env; keep one of them.")
    if store.url != "sqlite" and not store.url.startswith(DATABASES):
        # The rest of it is not repeated: it may hold a password.
        scheme = store.url.partition(":")[0][:20]
        raise ConfigError(
            f'{path}: store.url {scheme!r} is not supported by this version; use "sqlite", the '
            "workspace's own calls.db, or postgresql://user@host/name."
        )


def thresholds(routing: RoutingConfig) -> tuple[Thresholds, dict[TaskType, Thresholds]]:
    """Return the usual thresholds, and those of each task type that has its own.

    Raises:
        UsageError: some don't part the tiers.
    """
    usual = Thresholds(mid=routing.mid, frontier=routing.frontier)
    return usual, {
        name: Thresholds(
            mid=usual.mid if own.mid is None else own.mid,
            frontier=usual.frontier if own.frontier is None else own.frontier,
        )
        for name, own in routing.types.items()
    }


def terms_for(
    config: Config,
    task: str,
    *,
    error_budget: float | None = None,
    contract: ContractKind | None = None,
    confidence: float | None = None,
) -> Terms:
    """Settle the promise for the task of that name; the arguments are a command's options."""
    own = config.tasks.get(task, TaskConfig())
    base = config.defaults
    return Terms(
        error_budget=error_budget or own.error_budget or base.error_budget,
        contract=contract or own.contract or base.contract,
        confidence=confidence or own.confidence or base.confidence,
        audit_share=AUDIT_SHARE if base.audit_share is None else base.audit_share,
        novelty=base.novelty if own.novelty is None else own.novelty,
    )
