"""A language model on an OpenAI-compatible server (vLLM, Ollama, llama.cpp's own).

A chat can't be continued from any text, so the server writes whole answers, which are checked.
"""

import json
import urllib.request
from collections.abc import Sequence
from typing import Any

from stepdown.students.generative.port import EngineError, Said
from stepdown.students.generative.search import Ranked

__all__ = ["RemoteEngine"]

_SECONDS = 30.0


class RemoteEngine:
    """A server's root (with its /v1) and the name that it serves the model under."""

    piecewise = False

    def __init__(self, root: str, model: str) -> None:
        self._url = f"{root.rstrip('/')}/chat/completions"
        self._model = model

    def choose(self, prompt: str, options: Sequence[str], *, line: bool) -> Ranked | None:
        """Choose nothing: a server tells no text's probability."""
        raise EngineError("A server does not tell how likely a given text is.")

    def write(self, prompt: str, grammar: str | None, most: int) -> Said:
        """Answer one message: the system's line, a blank one, and the user's text."""
        system, _, user = prompt.partition("\n\n")
        body = {
            "model": self._model,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": user},
            ],
            "temperature": 0,
            "max_tokens": most,
            "logprobs": True,
        }
        choice = self._sent(body)
        content: Any = (choice.get("logprobs") or {}).get("content") or []
        text = str(choice["message"].get("content") or "")
        logprobs = tuple(float(token["logprob"]) for token in content)
        return Said(text, logprobs, choice.get("finish_reason") != "length")

    def close(self) -> None:
        """Nothing is held."""

    def _sent(self, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            self._url,
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": "Bearer none"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as reply:
                choice: Any = json.load(reply)["choices"][0]
                return {"message": choice["message"]} | dict(choice)
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise EngineError(f"{self._url} gave no answer ({error}).") from error
