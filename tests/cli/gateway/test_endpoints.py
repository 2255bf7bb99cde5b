"""The tiers of a configuration as the gateway takes them."""

from contextlib import ExitStack, closing
from typing import Any

import openai
import pytest
from tests.serve.conftest import FakeUpstream

from stepdown.cli.gateway.endpoints import chain_of, cheaper_of, secret, with_score
from stepdown.cli.scores import publish_score
from stepdown.cli.serve import settings_of
from stepdown.config import (
    Config,
    EndpointConfig,
    MessagesConfig,
    RoutingConfig,
    TierConfig,
    load_config,
)
from stepdown.core.tasks import TaskIndex
from stepdown.core.tiering import Thresholds
from stepdown.errors import ConfigError
from stepdown.route.learn import learn
from stepdown.route.rows import Compared, prompted
from stepdown.serve.live import Loaded
from stepdown.serve.server import serving
from stepdown.serve.settings import Endpoint, Routing, Settings
from stepdown.store.sqlite import SqliteOutbox
from stepdown.workspace import Workspace

MID = Endpoint("http://m", model="m", general=True)


def test_only_a_chat_model_with_a_name_takes_calls_of_no_task():
    assert cheaper_of(None) is None
    for tier, general in (
        (TierConfig("http://m", None, "m"), True),
        (TierConfig("http://m"), False),
        (TierConfig("http://m", None, "m", api="decisions"), False),
    ):
        assert cheaper_of(tier).general is general
    assert cheaper_of(TierConfig("http://m", answer_seconds=5.0)).answer == 5.0


def test_each_address_has_its_own_key(monkeypatch):
    given = MessagesConfig("http://a", "KEY_A", fallbacks=(EndpointConfig("http://b", "KEY_B"),))
    with pytest.raises(ConfigError, match="KEY_"):
        chain_of(given)
    monkeypatch.setenv("KEY_A", "one")
    monkeypatch.setenv("KEY_B", " two ")
    assert chain_of(given) == Endpoint("http://a", "one", fallbacks=(Endpoint("http://b", "two"),))
    assert secret("KEY_B") == "two"


def test_p1_a_key_in_the_place_of_its_variable_is_not_told():
    with pytest.raises(ConfigError, match="no environment variable's name") as told:
        secret("sk-very-secret")
    assert "very" not in str(told.value)


def test_routing_is_off_with_a_message_where_it_can_not_work(tmp_path):
    workspace = Workspace(tmp_path)
    asked = Config(routing=RoutingConfig(enabled=True, mid=0.5))
    off = with_score(Settings(routing=Routing(compare_share=0.1)), Config(), workspace)
    assert off.routing == Routing(compare_share=0.1)
    no_tier = with_score(Settings(), asked, workspace).routing
    assert no_tier.complexity is None
    assert "no tier" in no_tier.problem
    no_score = with_score(Settings(mid=MID), asked, workspace).routing
    assert no_score.complexity is None
    assert "no score" in no_score.problem
    assert no_score.thresholds == Thresholds(0.5, 0.75)


def routed_config(frontier, mid):
    return f"""
[tiers.frontier]
base_url = "{frontier}"
[tiers.mid]
base_url = "{mid}"
model = "mid-1"
[routing]
enabled = true
"""


def test_a_score_that_was_fitted_routes_calls_of_no_known_task(tmp_path):
    rows = [
        Compared(prompted(f"{words} {at}"), (at // 2) % 10 < 9 if at % 2 else at % 20 == 0, "x")
        for at in range(400)
        for words in ("prove the sum" if at % 2 else "greet the guest",)
    ]
    workspace, learned = Workspace(tmp_path), learn(rows)
    publish_score(workspace, learned.score, learned.report, rows, "2026-11-01T00:00:00Z")
    with closing(FakeUpstream()) as frontier, closing(FakeUpstream()) as mid, ExitStack() as stack:
        (tmp_path / "stepdown.toml").write_text(routed_config(frontier.url, mid.url))
        config = load_config(tmp_path / "stepdown.toml")
        settings = settings_of(config, host=None, port=0, upstream=None)
        settings = with_score(settings, config, workspace)
        assert settings.routing.problem == ""
        outbox = stack.enter_context(closing(SqliteOutbox(tmp_path / "calls.db")))
        url = stack.enter_context(serving(settings, nothing_known, outbox))
        client = stack.enter_context(openai.OpenAI(base_url=url, api_key="k", max_retries=0))
        for text, tier in (("greet the guest 7", "mid"), ("prove the sum 7", "frontier")):
            turns: Any = [{"role": "user", "content": text}]
            raw = client.chat.completions.with_raw_response
            said = raw.create(model="gpt-4o", messages=turns)
            assert said.headers["x-stepdown-tier"] == tier
        assert len(mid.seen) == len(frontier.seen) == 1


def nothing_known(generation):
    return Loaded(TaskIndex([]), {}) if generation is None else None
