"""Providers' names."""

import pytest

from stepdown.serve.providers import provider_of


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
