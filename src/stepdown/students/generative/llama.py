"""A GGUF model in this process, with llama.cpp; grammars by the llguidance that is built into it.

What two prompts have in common is read once: llama.cpp keeps the cache of the last.
"""

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from os import cpu_count
from pathlib import Path
from typing import Any, cast

from stepdown.errors import ArtefactError
from stepdown.students.generative.port import EngineError, Said
from stepdown.students.generative.search import Node, Ranked, best_first

__all__ = ["LlamaEngine"]

_CONTEXT = 4_096
_CANDIDATES = 200
"""Tokens whose probability is asked for; an option none of whose tokens is among them has lost."""


class LlamaEngine:
    """A loaded GGUF file; one caller at a time.

    Raises:
        ArtefactError: the file is damaged.
    """

    piecewise = True

    def __init__(self, path: Path) -> None:
        import xllamacpp

        library: Any = xllamacpp
        params = library.CommonParams()
        params.model.path = str(path)
        params.n_ctx = _CONTEXT
        params.n_parallel = 1
        params.cpuparams.n_threads = cpu_count() or 1
        params.warmup = False
        # What it logs of its own loading is no message for anybody.
        params.verbosity = -1
        self._lock = threading.Lock()
        try:
            self._server: Any = library.Server(params)
        except RuntimeError as error:
            raise ArtefactError(
                f"The model {path} can't be loaded ({error}); train the student again."
            ) from error
        # A server that is let go before its loop has begun would wait for that loop for ever.
        self.write("a", None, 1)

    def choose(self, prompt: str, options: Sequence[str], *, line: bool) -> Ranked | None:
        """Return which option is likeliest to follow."""

        def expand(node: Node) -> Iterable[Node]:
            prefix = str(node.prefix)
            left = [options[member][len(prefix) :] for member in node.members]
            weighed = self._weighed(prompt + prefix, _alternatives(left))
            for piece, log_p in weighed.items():
                chance = node.log_p + log_p
                if not piece:
                    members = [m for m in node.members if options[m] == prefix]
                    whole = not line
                else:
                    members = [m for m in node.members if options[m].startswith(piece, len(prefix))]
                    whole = line and any(options[m] == prefix + piece for m in members)
                if members:
                    yield Node(prefix + piece, tuple(members), chance, whole)

        with self._lock:
            return best_first(len(options), expand, Node("", tuple(range(len(options)))))

    def write(self, prompt: str, grammar: str | None, most: int) -> Said:
        """Go on from the prompt, greedily."""
        body: dict[str, Any] = {"prompt": prompt, "n_predict": most, "n_probs": 1}
        if grammar is not None:
            body["grammar"] = f"%llguidance {{}}\n{grammar}"
        with self._lock:
            choice = self._asked(body)
        logprobs = tuple(float(token["logprob"]) for token in _tokens(choice))
        return Said(str(choice["text"]), logprobs, choice["finish_reason"] != "length")

    def close(self) -> None:
        """Give the model's memory back."""
        self._server = None

    def _weighed(self, prompt: str, grammar: str) -> dict[str, float]:
        """Return the log-probabilities of the next pieces of text; "" is the end."""
        choice = self._asked(
            {"prompt": prompt, "n_predict": 1, "n_probs": _CANDIDATES, "grammar": grammar}
        )
        found: dict[str, float] = {}
        tokens = _tokens(choice)
        if not tokens:
            return {"": 0.0}
        # The grammar's own choice comes first: it is there however unlikely it is.
        for token in [tokens[0], *tokens[0].get("top_logprobs", ())]:
            try:
                piece = bytes(token["bytes"]).decode()
            except UnicodeDecodeError:
                # A part of a letter: the option is weighed by its other spelling.
                continue
            found[piece] = max(float(token["logprob"]), found.get(piece, float("-inf")))
        return found

    def _asked(self, body: Mapping[str, Any]) -> dict[str, Any]:
        usual = {"temperature": 0, "cache_prompt": True}
        try:
            answer = self._server.handle_completions(usual | dict(body))
            reply: Any = json.loads(answer) if isinstance(answer, str | bytes) else answer
            return cast("dict[str, Any]", reply["choices"][0])
        except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise EngineError(f"llama.cpp gave no answer ({error}).") from error


def _tokens(choice: Mapping[str, Any]) -> list[dict[str, Any]]:
    logprobs: Any = choice.get("logprobs") or {}
    return list(logprobs.get("content") or [])


def _alternatives(texts: Sequence[str]) -> str:
    return "root ::= " + " | ".join(json.dumps(text, ensure_ascii=False) for text in texts)
