"""What a student asks of a language model, whichever way that is run.

Engines are not shared: a model's key-value cache belongs to one prompt, so callers take turns.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from stepdown.students.generative.search import Ranked

__all__ = ["Engine", "EngineError", "Said"]


class EngineError(Exception):
    """The engine gave no answer: the student abstains."""


class Said(msgspec.Struct, frozen=True):
    """What a model wrote, and the natural logarithm of each token's probability.

    `ended` is False where it was cut off.
    """

    text: str
    logprobs: tuple[float, ...]
    ended: bool = True


class Engine(Protocol):
    """A loaded model.

    `piecewise` says that it can go on from any text; one that can't writes whole answers.
    """

    piecewise: bool

    def choose(self, prompt: str, options: Sequence[str], *, line: bool) -> Ranked | None:
        """Return which option is likeliest to follow; `line` says that options end their line."""
        ...

    def write(self, prompt: str, grammar: str | None, most: int) -> Said:
        """Go on from the prompt, as the grammar allows, for at most `most` tokens.

        Raises:
            EngineError: there is no answer.
        """
        ...

    def close(self) -> None:
        """Give back what the engine holds."""
        ...
