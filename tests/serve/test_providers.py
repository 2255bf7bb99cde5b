"""Providers' names."""

import pytest

from stepdown.serve.headers import own_keys
from stepdown.serve.providers import is_another_makers, may_be_at, provider_of


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://api.anthropic.com/v1", "anthropic"),
        ("https://team.openai.azure.com/openai/v1", "azure.ai.openai"),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com/v1", "aws.bedrock"),
        ("http://127.0.0.1:11434/v1", "127.0.0.1"),
        ("", "unknown"),
    ],
)
def test_a_provider_is_known_by_its_host(address, name):
    assert provider_of(address) == name


@pytest.mark.parametrize(
    ("model", "address", "may"),
    [
        ("gpt-4o", "https://api.openai.com/v1", True),
        ("gpt-4o", "https://api.anthropic.com/v1", False),
        ("claude-opus-4-1", "https://api.anthropic.com/v1", True),
        ("claude-opus-4-1", "https://api.openai.com/v1", False),
        ("claude-opus-4-1", "http://127.0.0.1:4000/v1", True),
        ("gpt-4o", "http://127.0.0.1:4000/v1", True),
    ],
)
def test_where_a_model_may_be(model, address, may):
    assert may_be_at(model, address) == may


@pytest.mark.parametrize(
    ("address", "another"),
    [
        ("https://api.openai.com/v1", True),
        ("https://api.anthropic.com/v1", False),
        ("http://127.0.0.1:4000/v1", False),
    ],
)
def test_s5_which_makers_are_known_to_be_others_than_anthropic(address, another):
    assert is_another_makers(address) == another
    key = (b"authorization", b"Bearer sk-ant-1")
    other = [(b"authorization", b"Bearer sk-1"), (b"accept", b"*/*")]
    passed = own_keys([key, *other], address, anthropics_elsewhere=False)
    assert passed == (other if another else [key, *other])
