"""How likely a model found its own answer: a chat.completion's token log-probabilities."""

import math

import msgspec

__all__ = ["answer_probability"]


class _Token(msgspec.Struct):
    logprob: float


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


class _Choice(msgspec.Struct):
    logprobs: _Logprobs | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice] = []


_completion = msgspec.json.Decoder(_Completion)


def answer_probability(body: bytes) -> float | None:
    """Return the product of the answer's token probabilities, in [0, 1]; None without any."""
    try:
        found = _completion.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    tokens = found.choices[0].logprobs if found.choices else None
    if tokens is None or not tokens.content:
        return None
    total = math.fsum(token.logprob for token in tokens.content)
    return math.exp(min(total, 0.0)) if math.isfinite(total) else None
