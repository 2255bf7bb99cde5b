"""stepdown.toml: every key is read, the nearest setting wins, anything else is refused."""

import pytest

from stepdown.config import Config, load_config, terms_for, thresholds
from stepdown.core.tiering import Thresholds
from stepdown.errors import ConfigError

WHOLE = """
[tiers.frontier]
base_url = "https://llm.example/v1"
api_key_env = "KEY"
[tiers.mid]
base_url = "http://127.0.0.1:11434/v1"
model = "qwen2.5:7b"
[defaults]
error_budget = 0.03
contract = "selective"
confidence = 0.9
audit_share = 0.05
novelty = 0.03
[tasks.ticket-routing]
error_budget = 0.01
[store]
url = "sqlite"
[serve]
port = 9000
"""


def test_every_documented_key_is_read(tmp_path):
    path = tmp_path / "stepdown.toml"
    path.write_text(WHOLE)
    config = load_config(path)
    assert config.tiers["mid"].model == "qwen2.5:7b"
    assert config.tiers["frontier"].api_key_env == "KEY"
    assert config.serve.port == 9000
    assert config.defaults.audit_share == 0.05


def test_the_nearest_setting_wins(tmp_path):
    path = tmp_path / "stepdown.toml"
    path.write_text(WHOLE)
    config = load_config(path)
    assert terms_for(config, "other").error_budget == 0.03
    assert terms_for(config, "ticket-routing").error_budget == 0.01
    assert terms_for(config, "ticket-routing").contract == "selective"
    assert terms_for(config, "ticket-routing", error_budget=0.005).error_budget == 0.005
    assert terms_for(Config(), "x").error_budget == 0.02


def test_the_novelty_gate_can_be_switched_off_for_one_task(tmp_path):
    path = tmp_path / "stepdown.toml"
    path.write_text(WHOLE + "[tasks.open]\nnovelty = 0\n")
    config = load_config(path)
    assert terms_for(config, "open").novelty == 0
    assert terms_for(config, "ticket-routing").novelty == 0.03
    assert terms_for(Config(), "x").novelty == 0.02


def test_a_missing_file_is_the_built_in_configuration(tmp_path):
    assert load_config(tmp_path / "stepdown.toml") == Config()
    with pytest.raises(ConfigError, match="no configuration at"):
        load_config(tmp_path / "stepdown.toml", required=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[defaults]\nbudget = 0.02\n", "budget"),
        ("[defaults]\nerror_budget = 2.0\n", "error_budget"),
        ("[defaults]\ncontract = 'maybe'\n", "contract"),
        ("[tiers.huge]\nbase_url = 'http://x'\n", "huge"),
        ("[tiers.mid]\nmodel = 'm'\n", "base_url"),
        ("[tiers.mid]\nbase_url = 'u'\n[tiers.mid.messages]\nbase_url = 'u'\n", "messages"),
        ("[tiers.mid]\nbase_url = 'u'\nfirst_byte_seconds = 0\n", "first_byte_seconds"),
        ("[tiers.mid]\nbase_url = 'u'\n[[tiers.mid.fallbacks]]\nmodel = 'm'\n", "base_url"),
        ("[store]\nurl = 'mysql://'\n", "mysql"),
        ("[store]\nurl = 'postgresql://h/d'\nurl_env = 'U'\n", "both"),
        ("[store]\noutbox_bytes = 5\n", "outbox_bytes"),
        ("not toml", "TOML"),
        ("nonsense = 1\n", "nonsense"),
        ("[tiers.frontier]\nbase_url = 'http://h'\n[tiers.mid]\nbase_url = 7\n", "tiers.mid.base"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path, text, said):
    path = tmp_path / "stepdown.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_config(path)


def test_p1_an_address_that_is_refused_is_not_repeated(tmp_path):
    path = tmp_path / "stepdown.toml"
    path.write_text("[store]\nurl = 'postgresql+psycopg://u:s3cret@h/d'\n")
    with pytest.raises(ConfigError, match=r"postgresql\+psycopg") as told:
        load_config(path)
    assert "s3cret" not in str(told.value)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "stepdown.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="can't be read"):
        load_config(path)


def test_routing_is_off_and_its_thresholds_can_differ_by_task_type(tmp_path):
    path = tmp_path / "stepdown.toml"
    path.write_text("[routing]\nmid = 0.5\n[routing.types.code]\nfrontier = 0.6\n")
    routing = load_config(path).routing
    assert not routing.enabled
    usual, types = thresholds(routing)
    assert usual == Thresholds(0.5, 0.75)
    assert types == {"code": Thresholds(0.5, 0.6)}


@pytest.mark.parametrize(
    "text",
    [
        "[routing]\nmid = 0.9\n",
        "[routing]\nmid = 1.5\n",
        "[routing.types.poem]\nmid = 0.1\n",
        "[routing.types.code]\nmid = 0.8\n",
        "[routing.types.code]\nsmall = 0.8\n",
    ],
)
def test_routing_that_parts_no_tiers_is_refused(tmp_path, text):
    path = tmp_path / "stepdown.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"stepdown\.toml"):
        load_config(path)


def test_teachers_are_read_and_half_a_price_is_refused(tmp_path):
    path = tmp_path / "stepdown.toml"
    path.write_text('[teacher]\nmax_tokens = 9\n[teachers.b]\napi = "anthropic"\n')
    config = load_config(path)
    assert (config.teacher.max_tokens, config.teachers["b"].api) == (9, "anthropic")
    for text in (
        "[teacher]\nusd_per_million_input = 1.0\n",
        "[teachers.b]\nusd_per_million_output = 1.0\n",
        "[teacher]\nmax_tokens = 0\n",
        '[teacher]\napi = "other"\n',
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"stepdown\.toml"):
            load_config(path)
