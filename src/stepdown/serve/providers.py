"""What an upstream's provider is called by the GenAI conventions, known by its host."""

from urllib.parse import urlsplit

__all__ = ["is_another_makers", "may_be_at", "provider_of"]

_BY_HOST = {
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "api.cohere.com": "cohere",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.perplexity.ai": "perplexity",
    "api.x.ai": "x_ai",
    "generativelanguage.googleapis.com": "gcp.gemini",
}
_BY_SUFFIX = {
    ".openai.azure.com": "azure.ai.openai",
    ".services.ai.azure.com": "azure.ai.inference",
    ".amazonaws.com": "aws.bedrock",
    "-aiplatform.googleapis.com": "gcp.vertex_ai",
}


def provider_of(address: str) -> str:
    """Return the provider's name; another host, such as a server of one's own, is its own name."""
    host = urlsplit(address).hostname or ""
    known = _BY_HOST.get(host)
    if known is not None:
        return known
    return next((name for end, name in _BY_SUFFIX.items() if host.endswith(end)), host or "unknown")


def is_another_makers(address: str) -> bool:
    """Say whether a maker of models other than Anthropic is known to be at an address."""
    return _BY_HOST.get(urlsplit(address).hostname or "", "anthropic") != "anthropic"


def may_be_at(model: str, address: str) -> bool:
    """Say whether a model may be at an address: Anthropic's are at no other maker's, and no others
    at its own."""
    if model.startswith("claude"):
        return not is_another_makers(address)
    return provider_of(address) != "anthropic"
