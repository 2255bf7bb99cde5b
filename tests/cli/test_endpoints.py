"""The tiers of a configuration as the gateway takes them."""

import pytest

from stepdown.cli.endpoints import chain_of, cheaper_of, secret, with_score
from stepdown.config import Config, EndpointConfig, MessagesConfig, RoutingConfig, TierConfig
from stepdown.core.tiering import Thresholds
from stepdown.errors import ConfigError
from stepdown.serve.settings import Endpoint, Routing, Settings
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
