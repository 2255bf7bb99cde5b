"""A causal language model in this process, with transformers; grammars by llguidance.

The key-value cache of the last prompt is kept: what two prompts have in common is read once.
"""

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from stepdown.errors import ArtefactError
from stepdown.students.generative.port import EngineError, Said
from stepdown.students.generative.search import Node, Ranked, best_first
from stepdown.students.tuned.base import device_of

__all__ = ["LocalEngine", "load_local"]


class LocalEngine:
    """A model and its tokenizer, ready; one caller at a time."""

    piecewise = True

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self._lock = threading.Lock()
        self._cache: Any = None
        self._read: list[int] = []
        self._grammars: Any = None

    def choose(self, prompt: str, options: Sequence[str], *, line: bool) -> Ranked | None:
        """Return which option is likeliest to follow."""
        end = [] if line else [self.tokenizer.eos_token_id]
        ids = self._ids(prompt)
        tokens = [self._ids(option) + end for option in options]

        def expand(node: Node) -> Iterable[Node]:
            prefix = tuple(node.prefix)
            logs = self._after([*ids, *map(int, prefix)])
            groups: dict[int, list[int]] = {}
            for member in node.members:
                groups.setdefault(tokens[member][len(prefix)], []).append(member)
            for token, members in groups.items():
                longer = (*map(int, prefix), token)
                whole = len(members) == 1 and len(tokens[members[0]]) == len(longer)
                chance = node.log_p + float(logs[token])
                yield Node(longer, tuple(members), chance, whole)

        with self._lock, torch.inference_mode():
            return best_first(len(options), expand, Node((), tuple(range(len(options)))))

    def write(self, prompt: str, grammar: str | None, most: int) -> Said:
        """Go on from the prompt, greedily."""
        matcher = self._matcher(grammar) if grammar is not None else None
        ids, made, logprobs = self._ids(prompt), [], []
        with self._lock, torch.inference_mode():
            while len(made) < most:
                logs = self._after([*ids, *made])
                allowed = logs if matcher is None else _masked(matcher, logs)
                token = int(allowed.argmax())
                logprobs.append(float(logs[token]))
                if matcher is None and token == self.tokenizer.eos_token_id:
                    return Said(self._text(made), tuple(logprobs))
                made.append(token)
                if matcher is not None:
                    if not matcher.consume_token(token):
                        raise EngineError("The grammar refused a token that it had allowed.")
                    if matcher.is_stopped():
                        return Said(self._text(made), tuple(logprobs))
        return Said(self._text(made), tuple(logprobs), ended=False)

    def close(self) -> None:
        """Forget the cache; the model goes with the engine."""
        self._cache, self._read = None, []

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def _text(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def _matcher(self, grammar: str) -> Any:
        import llguidance
        import llguidance.hf

        if self._grammars is None:
            self._grammars = llguidance.hf.from_tokenizer(self.tokenizer)
        made = llguidance.LLMatcher(self._grammars, llguidance.LLMatcher.grammar_from_lark(grammar))
        if made.is_error():
            raise EngineError(f"The grammar can't be used ({made.get_error()}).")
        return made

    def _after(self, ids: list[int]) -> Tensor:
        """Return the log-probabilities [vocabulary] of what follows; at least one id is read."""
        from transformers import DynamicCache

        common = _in_common(ids[:-1], self._read)
        if self._cache is None or not common:
            self._cache, common = DynamicCache(config=self.model.config), 0
        elif common < len(self._read):
            try:
                self._cache.crop(common)
            except (RuntimeError, ValueError, NotImplementedError):
                # A sliding window has lost what stood before it.
                self._cache, common = DynamicCache(config=self.model.config), 0
        rest = torch.tensor([ids[common:]], device=self.model.device)
        found = self.model(input_ids=rest, past_key_values=self._cache, use_cache=True)
        self._cache, self._read = found.past_key_values, list(ids)
        logits = found.logits[0, -1].float()
        if bool(torch.isnan(logits).any()):
            self.close()
            raise EngineError("The model's output is not a number: its weights are damaged.")
        return logits.log_softmax(dim=-1).cpu()


def _in_common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many ids the beginnings of both have in common."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _masked(matcher: Any, logs: Tensor) -> Tensor:
    bits = torch.frombuffer(bytearray(matcher.compute_bitmask()), dtype=torch.uint8)
    allowed = bits.unsqueeze(1).bitwise_right_shift(torch.arange(8)).bitwise_and(1).flatten()
    known = torch.zeros(len(logs), dtype=torch.bool)
    length = min(len(logs), len(allowed))
    known[:length] = allowed[:length].bool()
    return logs.masked_fill(~known, float("-inf"))


def load_local(folder: Path) -> LocalEngine:
    """Load what `save_pretrained` wrote.

    Raises:
        ArtefactError: it is damaged.
        Unavailable: the device asked for is not there.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        # Without the word, a folder without safetensors would be unpickled.
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ArtefactError(
            f"The model in {folder} can't be loaded ({reason}); train the student again."
        ) from error
    cast("Any", model).to(device_of())
    return LocalEngine(model, tokenizer)
