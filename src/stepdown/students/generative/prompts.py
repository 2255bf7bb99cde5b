"""How an input is put to a model: its own chat template around an instruction and the text."""

from typing import Any

import msgspec

__all__ = ["Prompt", "prompt_of"]

_MARK = "\ue000"


class Prompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chat as text: `before` and `after` the user's words; `specials` may not stand in them.

    `instruction` is what `before` says to the model, for engines that take messages.
    """

    instruction: str
    before: str
    after: str
    specials: tuple[str, ...] = ()

    def text(self, words: str) -> str:
        """Return the prompt for a text, in which no marker of the template is left whole."""
        return f"{self.before}{self.clean(words)}{self.after}"

    def message(self, words: str) -> str:
        """Return the instruction and the text, a blank line between them."""
        return f"{self.instruction}\n\n{self.clean(words)}"

    def clean(self, words: str) -> str:
        """Break up what a tokenizer would take for a turn of its own."""
        words = words.encode("utf-8", "replace").decode("utf-8")
        for special in self.specials:
            words = words.replace(special, f"{special[:1]} {special[1:]}")
        return words


def prompt_of(tokenizer: Any, instruction: str) -> Prompt:
    """Return the prompt in a tokenizer's own chat template; a plain one where it has none."""
    specials = tuple(text for text in tokenizer.all_special_tokens if len(text) > 1)
    if not getattr(tokenizer, "chat_template", None):
        return Prompt(instruction, f"{instruction}\n\n", "\n\n", specials)
    turns = [{"role": "system", "content": instruction}, {"role": "user", "content": _MARK}]
    try:
        whole = _filled(tokenizer, turns)
    # Templates raise what they like where they have no place for a system's turn.
    except Exception:  # noqa: BLE001
        whole = _filled(tokenizer, [{"role": "user", "content": f"{instruction}\n\n{_MARK}"}])
    before, _, after = whole.partition(_MARK)
    return Prompt(instruction, before, after, specials)


def _filled(tokenizer: Any, turns: list[dict[str, str]]) -> str:
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
